//! Where clients come in: a TCP port or a Unix socket.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::net::{SocketFlags, accept_with, acceptfrom_with};
use socket2::{Domain, Protocol, SockFilter, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::address::Endpoint;
use crate::net::arrived::Arrived;
use crate::net::socket;

/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 4096;
/// What a socket is that has just been accepted.
const ACCEPTED: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
/// Who may connect to the socket: everybody who may enter its folder, as with PostgreSQL's own.
const MODE: u32 = 0o777;

/// Whether others may listen at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else may.
    Alone,
    /// Another process may, and takes over.
    HandOver,
}

/// A place where clients come in. No runtime watches it yet: the kernel lets those wait who come.
#[derive(Debug)]
pub enum Door {
    /// A TCP port.
    Tcp(Port),
    /// A Unix socket.
    Unix(Socket),
}

/// A door that the runtime of this thread watches.
#[derive(Debug)]
pub struct Entrance {
    /// The same socket once more, for its readiness alone. A listener of tokio's puts each client into its own runtime, from which it would
    /// have to be taken out again; that is a fifth of all system calls of a client that comes for one statement.
    watched: UnixStream,
    door: Door,
}

/// A TCP port.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    options: socket::Listener,
    /// Our address, where clients can dial no other.
    only: Option<SocketAddr>,
}

/// A Unix socket.
#[derive(Debug)]
pub struct Socket {
    /// Goes first: who comes then is refused, and not accepted by nobody. Given to us, the file is left where it is.
    _made: Option<Made>,
    listener: UnixListener,
    path: Arc<Path>,
}

/// The file of a socket that we made: it is removed with its owner. The lock is held for as long as we listen.
#[derive(Debug)]
struct Made {
    path: Arc<Path>,
    inode: u64,
    lock: Option<(File, PathBuf)>,
}

/// Somebody who has just come in.
#[derive(Debug)]
pub struct Entrant {
    /// The socket.
    pub socket: Arrived,
    /// Where it comes from.
    pub peer: Endpoint,
    /// Our end, as it was dialled.
    pub local: Endpoint,
}

impl Door {
    /// Opens a TCP port.
    ///
    /// # Errors
    /// The address is in use or not ours.
    pub fn port(address: SocketAddr, sharing: Sharing) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(sharing == Sharing::HandOver)?;
        socket.bind(&address.into())?;
        socket::prepare_listener(&socket)?;
        socket.listen(BACKLOG)?;
        Ok(Self::Tcp(Port::of(socket.into(), socket::Listener::Prepared)))
    }

    /// Opens the Unix socket of a folder, named as clients of PostgreSQL look for it.
    ///
    /// # Errors
    /// Another process listens there, or the folder can't be written.
    pub fn socket(folder: &Path, port: u16, sharing: Sharing) -> io::Result<Self> {
        Socket::bind(&folder.join(format!(".s.PGSQL.{port}")), sharing).map(Self::Unix)
    }

    /// Takes over a TCP socket that listens already.
    ///
    /// # Errors
    /// It is none.
    pub fn given_tcp(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(Port::of(listener, socket::Listener::Unprepared)))
    }

    /// Takes over a Unix socket that listens already; its file is left to whoever made it.
    ///
    /// # Errors
    /// It is none.
    pub fn given_unix(listener: UnixListener, path: &Path) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(Socket { listener, path: path.into(), _made: None }))
    }

    /// Has the runtime of the calling thread watch it.
    ///
    /// # Errors
    /// The runtime can't.
    pub fn settle(self) -> io::Result<Entrance> {
        let again = self.as_fd().try_clone_to_owned()?;
        Ok(Entrance { watched: UnixStream::from_std(again.into())?, door: self })
    }

    /// Never waits.
    fn accept(&self) -> io::Result<Entrant> {
        match self {
            Self::Tcp(port) => port.accept(),
            Self::Unix(socket) => socket.accept(),
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(port) => port.listener.as_fd(),
            Self::Unix(socket) => socket.listener.as_fd(),
        }
    }
}

impl Entrance {
    /// Accepts one client. Cancel-safe.
    ///
    /// # Errors
    /// The client is gone, or the system has nothing left.
    pub async fn accept(&self) -> io::Result<Entrant> {
        self.watched.async_io(Interest::READABLE, || self.door.accept()).await
    }

    /// Lets nobody new begin to connect, while those who have begun still come through: a port drops SYN packets, which clients send
    /// again a second later, to whoever then listens there. A Unix socket that another process has replaced gets nobody new anyway.
    ///
    /// # Errors
    /// The system does not filter.
    pub fn hush(&self) -> io::Result<()> {
        match &self.door {
            Door::Tcp(port) => SockRef::from(&port.listener).attach_filter(&DROP_SYN),
            Door::Unix(_) => Ok(()),
        }
    }
}

/// Classic BPF for a listening TCP socket, whose packets begin with the TCP header: load the byte of flags, drop the packet where
/// SYN is set, else take it whole. Codes: `BPF_LD | BPF_B | BPF_ABS`, `BPF_JMP | BPF_JSET | BPF_K`, `BPF_RET | BPF_K`.
const DROP_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x45, 0, 1, 0x02),
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

impl Port {
    fn of(listener: TcpListener, options: socket::Listener) -> Self {
        let only = listener.local_addr().ok().filter(|local| !local.ip().is_unspecified());
        Self { listener, options, only }
    }

    fn accept(&self) -> io::Result<Entrant> {
        let (socket, peer) = acceptfrom_with(&self.listener, ACCEPTED)?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(io::ErrorKind::NotConnected)?;
        let stream = TcpStream::from(socket);
        socket::prepare_accepted(&stream, peer, self.options)?;
        let local = self.only.map_or_else(|| stream.local_addr(), Ok)?;
        Ok(Entrant { socket: Arrived::Tcp(stream), peer: peer.into(), local: local.into() })
    }
}

impl Socket {
    fn bind(path: &Path, sharing: Sharing) -> io::Result<Self> {
        let (listener, lock) = match sharing {
            Sharing::Alone => {
                let lock = lock(path)?;
                remove_stale(path)?;
                (UnixListener::bind(path)?, Some(lock))
            }
            // In one step, so that there is no moment without a socket.
            Sharing::HandOver => {
                let draft = path.with_extension(std::process::id().to_string());
                remove_stale(&draft)?;
                let listener = UnixListener::bind(&draft)?;
                fs::rename(&draft, path)?;
                (listener, None)
            }
        };
        listener.set_nonblocking(true)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        let inode = fs::symlink_metadata(path)?.ino();
        let path = Arc::from(path);
        let made = Made { path: Arc::clone(&path), inode, lock };
        Ok(Self { listener, path, _made: Some(made) })
    }

    fn accept(&self) -> io::Result<Entrant> {
        let socket = accept_with(&self.listener, ACCEPTED)?;
        let place = Endpoint::Unix(Arc::clone(&self.path));
        Ok(Entrant { socket: Arrived::Unix(socket.into()), peer: place.clone(), local: place })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode) {
            drop(fs::remove_file(&self.path));
        }
        // The file goes while it is locked, so that nobody locks one that has no name.
        if let Some((_, path)) = &self.lock {
            drop(fs::remove_file(path));
        }
    }
}

/// Locks `.s.PGSQL.<port>.lock` beside the socket: of two processes that start at once one is too late.
fn lock(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let place = PathBuf::from(name);
    let file = File::options().create(true).truncate(false).write(true).open(&place)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| io::Error::from(io::ErrorKind::AddrInUse))?;
    Ok((file, place))
}

/// Removes a socket that a process left behind that ended badly. Whatever else stands there stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type())) {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // It answers, or is too busy to.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, sharing: Sharing) -> io::Result<Door> {
        Door::socket(folder, 5432, sharing)
    }

    #[tokio::test]
    async fn a_socket_is_taken_once_removed_at_the_end_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".s.PGSQL.5432");
        let door = open(folder.path(), Sharing::Alone).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        assert_eq!(open(folder.path(), Sharing::Alone).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let entrance = door.settle().unwrap();
        let (client, entrant) = tokio::join!(UnixStream::connect(&path), entrance.accept());
        client.unwrap();
        assert_eq!(entrant.unwrap().peer.host(), "unix");
        drop(entrance);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "stale");
        drop(open(folder.path(), Sharing::Alone).unwrap());
        fs::write(&path, "somebody's file").unwrap();
        open(folder.path(), Sharing::Alone).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"somebody's file");
    }

    #[tokio::test]
    async fn whoever_is_accepted_has_the_options_of_the_data_path() {
        let address = "127.0.0.1:0".parse().unwrap();
        let ours = Door::port(address, Sharing::Alone).unwrap();
        let given = Door::given_tcp(TcpListener::bind(address).unwrap()).unwrap();
        for door in [ours, given] {
            let Door::Tcp(port) = &door else { panic!("no port") };
            let at = port.listener.local_addr().unwrap();
            let client = tokio::net::TcpStream::connect(at).await.unwrap();
            let entrant = door.settle().unwrap().accept().await.unwrap();
            assert_eq!(entrant.peer, client.local_addr().unwrap().into());
            assert_eq!(entrant.local, at.into());
            let Arrived::Tcp(stream) = entrant.socket else { panic!("no port") };
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap() && socket.nonblocking().unwrap());
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(std::time::Duration::from_secs(60)));
            assert_eq!(socket.tcp_keepalive_time().unwrap(), std::time::Duration::from_secs(30));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
            assert!(socket.tcp_congestion().unwrap().starts_with(b"reno"));
        }
    }

    #[tokio::test]
    async fn another_process_takes_a_shared_socket_over_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".s.PGSQL.5432");
        let old = open(folder.path(), Sharing::HandOver).unwrap().settle().unwrap();
        let early = UnixStream::connect(&path).await.unwrap();
        let new = open(folder.path(), Sharing::HandOver).unwrap().settle().unwrap();
        let late = UnixStream::connect(&path).await.unwrap();
        old.accept().await.unwrap();
        drop(old);
        assert!(path.exists(), "the new one's");
        new.accept().await.unwrap();
        drop((early, late));
    }
}
