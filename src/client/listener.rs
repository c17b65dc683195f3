//! Accepts clients and hands them over. Never waits for one of them.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use super::admission::{Admission, LobbyPermit};
use super::refuse;
use crate::clock;
use crate::net::socket;
use crate::telemetry::{Gate, Pass};
use crate::wire::pg::refusal;

/// Connections that the kernel completes before they are accepted.
const BACKLOG: u32 = 4096;
/// How long nothing is accepted when the system has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// A client that has just been accepted.
#[derive(Debug)]
pub struct Arrival {
    /// Its socket, prepared and of no runtime.
    pub stream: std::net::TcpStream,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Our address, as it dialled it.
    pub local: IpAddr,
    /// When it was accepted: all deadlines of its login count from here.
    pub accepted: Instant,
    /// Its place among those who have not said what they want.
    pub lobby: LobbyPermit,
}

/// Opens a listening socket.
///
/// # Errors
/// The address is in use or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts clients until dropped. `hand_over` may wait for a worker; the kernel's queue takes what comes meanwhile.
pub async fn accept<F: Future<Output = ()>>(
    listener: &TcpListener,
    admission: &Arc<Admission>,
    gate: &Gate,
    hand_over: impl Fn(Arrival) -> F,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(arrival) = receive(stream, peer, admission, gate) {
                    hand_over(arrival).await;
                }
            }
            Err(error) if exhausted(&error) => {
                log(
                    gate,
                    "accept",
                    || tracing::error!(%error, "accepting is paused: descriptors or memory are used up"),
                );
                sleep(PAUSE).await;
            }
            // The client was gone before it was accepted.
            Err(error) => tracing::debug!(%error, "accept failed"),
        }
    }
}

fn receive(stream: TcpStream, peer: SocketAddr, admission: &Arc<Admission>, gate: &Gate) -> Option<Arrival> {
    let accepted = clock::now();
    let Some(lobby) = admission.lobby(peer.ip()) else {
        let line = || tracing::warn!(%peer, "turned away: too many connections that have not said what they want");
        log(gate, "lobby", line);
        turn_away(stream);
        return None;
    };
    let prepared = socket::prepare(&stream).and_then(|()| stream.local_addr());
    let local = prepared.ok()?.ip();
    Some(Arrival { stream: stream.into_std().ok()?, peer, local, accepted, lobby })
}

/// Says why, as far as that goes without waiting. What the client sent already is read first: a socket that is closed while
/// something lies unread resets the connection, and the words with it.
fn turn_away(stream: TcpStream) {
    let mut words = BytesMut::new();
    refusal::error(&refuse::crowded(), &mut words);
    // The runtime has not seen yet whether the socket is ready; the system knows, and neither call waits.
    if let Ok(mut stream) = stream.into_std() {
        drop(stream.read(&mut [0; 1024]));
        drop(stream.write(&words));
    }
}

fn exhausted(error: &io::Error) -> bool {
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

fn log(gate: &Gate, key: &str, line: impl Fn()) {
    if let Pass::Write { .. } = gate.pass(key) {
        line();
    }
}
