//! Sockets that a service manager opened for us (`LISTEN_FDS`, as of systemd's socket units).
//!
//! A socket goes to the listener whose address it is bound to; what it is called plays no part.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use listenfd::ListenFd;

use crate::client::door::Door;

/// What was given and not taken yet.
#[derive(Debug, Default)]
pub(super) struct Given {
    ports: Vec<TcpListener>,
    sockets: Vec<UnixListener>,
}

impl Given {
    /// Takes everything over that was given to this process. Other kinds of sockets are left alone, with a warning.
    pub(super) fn take() -> Self {
        let mut fds = ListenFd::from_env();
        let mut given = Self::default();
        for index in 0..fds.len() {
            if let Ok(Some(port)) = fds.take_tcp_listener(index) {
                given.ports.push(port);
            } else if let Ok(Some(socket)) = fds.take_unix_listener(index) {
                given.sockets.push(socket);
            } else {
                tracing::warn!(number = index, "a socket of the service manager is no listening stream socket");
            }
        }
        given
    }

    /// The port that is bound to this address, if one was given.
    pub(super) fn port(&mut self, address: SocketAddr) -> Option<io::Result<Door>> {
        let at = self.ports.iter().position(|port| port.local_addr().is_ok_and(|bound| bound == address))?;
        Some(Door::given_tcp(self.ports.swap_remove(at)))
    }

    /// The socket of this folder and number, if one was given.
    pub(super) fn socket(&mut self, folder: &Path, number: u16) -> Option<io::Result<Door>> {
        let path = folder.join(format!(".s.PGSQL.{number}"));
        let is_it = |socket: &UnixListener| {
            socket.local_addr().is_ok_and(|bound| bound.as_pathname().is_some_and(|bound| bound == path))
        };
        let at = self.sockets.iter().position(is_it)?;
        Some(Door::given_unix(self.sockets.swap_remove(at), &path))
    }

    /// Tells of sockets that no listener wanted.
    pub(super) fn warn_of_rest(&self) {
        for port in &self.ports {
            let address = port.local_addr().ok().map(tracing::field::display);
            tracing::warn!(address, "a socket of the service manager belongs to no listener: it is not accepted from");
        }
        for socket in &self.sockets {
            let address = socket.local_addr().ok().map(tracing::field::debug);
            tracing::warn!(address, "a socket of the service manager belongs to no listener: it is not accepted from");
        }
    }
}
