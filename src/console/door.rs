//! Accepting console connections: few, on time, each on its own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::interval_at;

use super::accounts::{Accounts, Operator};
use super::answer::Failure;
use super::averages::PERIOD;
use super::desk::Desk;
use super::keys::Keys;
use super::login::{Proof, login};
use super::sources::Sources;
use super::wire::{End, Wire};
use super::{password, session};
use crate::clock;
use crate::config::Role;
use crate::telemetry::{Gate, Pass};
use crate::units::display_bytes;

/// Console connections over TCP.
const TCP_MAX: usize = 16;
/// Connections over the Unix socket, beside those: whoever fills the port locks nobody out.
const UNIX_MAX: usize = 4;
/// From accept to the end of the login.
const LOGIN_WAIT: Duration = Duration::from_secs(10);
/// Who comes over the Unix socket, in the log.
const LOCAL: &str = "unix";
/// A failed login holds its place so much longer: few guesses a second, for all together.
const FAILED_LOGIN_WAIT: Duration = Duration::from_millis(500);
/// After a failed accept: descriptors may be short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A silent peer is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Where the console listens.
#[derive(Debug, Default)]
pub struct Doors {
    tcp: Option<TcpListener>,
    unix: Option<Socket>,
}

/// A Unix socket that is removed with its owner.
#[derive(Debug)]
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the console does not listen.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Others could reach it, and nobody has chosen a password.
    #[error("the console listens on {0}, which other hosts can reach: name an [[admin.user]] first, or use 127.0.0.1")]
    Exposed(SocketAddr),
    /// The address is taken, or not ours.
    #[error("the console cannot listen on {place}: {source}")]
    Listen {
        /// Address or path.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Doors {
    /// Opens the TCP port and the Unix socket, where they are configured. The socket's folder is made where it is missing.
    ///
    /// # Errors
    /// One of them could not be opened, or others could reach the port and nobody has chosen a password.
    pub async fn open(tcp: Option<SocketAddr>, socket: Option<&Path>, accounts: &Accounts) -> Result<Self, OpenError> {
        let mut doors = Self::default();
        if let Some(address) = tcp {
            if !address.ip().is_loopback() && accounts.is_generated() {
                return Err(OpenError::Exposed(address));
            }
            let listener = TcpListener::bind(address).await;
            doors.tcp = Some(listener.map_err(|source| OpenError::Listen { place: address.to_string(), source })?);
        }
        doors.unix = socket.map(Socket::open).transpose()?;
        Ok(doors)
    }

    /// The TCP address, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The Unix socket.
    pub fn path(&self) -> Option<&Path> {
        self.unix.as_ref().map(|socket| socket.path.as_path())
    }
}

impl Socket {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let listener = Self::bind(path);
        let listener = listener.map_err(|source| OpenError::Listen { place: path.display().to_string(), source })?;
        Ok(Self { listener, path: path.to_owned() })
    }

    fn bind(path: &Path) -> io::Result<UnixListener> {
        if let Some(dir) = path.parent() {
            password::make_dir(dir)?;
        }
        if fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
            // Left behind by a process that ended badly, unless somebody answers.
            if StdUnixStream::connect(path).is_ok() {
                return Err(io::Error::from(io::ErrorKind::AddrInUse));
            }
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        // Whoever connects before this is asked by uid all the same.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What connections share.
struct House {
    accounts: Arc<Accounts>,
    keys: Arc<Keys>,
    sources: Sources,
    gate: Gate,
}

/// Serves the console until `stop` completes; then its connections are closed. Cancel safe: dropped, it closes them as well.
pub async fn serve(doors: Doors, accounts: Arc<Accounts>, sources: Sources, stop: impl Future<Output = ()>) {
    let house = Arc::new(House { accounts, keys: Arc::default(), sources, gate: Gate::default() });
    let (tcp, unix) = (Arc::new(Semaphore::new(TCP_MAX)), Arc::new(Semaphore::new(UNIX_MAX)));
    let mut connections = JoinSet::new();
    let mut spans = interval_at(clock::now() + PERIOD, PERIOD);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = spans.tick() => house.sources.averages.turn(&house.sources.roster),
            Some(ended) = connections.join_next() => house.note_panic(ended),
            accepted = accept_tcp(doors.tcp.as_ref()) => match accepted {
                Ok((stream, peer)) => match Arc::clone(&tcp).try_acquire_owned() {
                    Ok(permit) => drop(connections.spawn(Arc::clone(&house).tcp(stream, peer, permit))),
                    Err(_) => house.turn_away(&peer.ip().to_string()),
                },
                Err(error) => house.accept_failed(&error).await,
            },
            accepted = accept_unix(doors.unix.as_ref()) => match accepted {
                Ok(stream) => match Arc::clone(&unix).try_acquire_owned() {
                    Ok(permit) => drop(connections.spawn(Arc::clone(&house).unix(stream, permit))),
                    Err(_) => house.turn_away(LOCAL),
                },
                Err(error) => house.accept_failed(&error).await,
            },
        }
    }
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn accept_unix(socket: Option<&Socket>) -> io::Result<UnixStream> {
    match socket {
        Some(socket) => Ok(socket.listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

impl House {
    async fn tcp(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _permit: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
        let proof = Proof::Scram(Arc::clone(&self.accounts));
        self.attend(stream, proof, peer.ip().to_string()).await;
    }

    async fn unix(self: Arc<Self>, stream: UnixStream, _permit: OwnedSemaphorePermit) {
        let ours = rustix::process::geteuid().as_raw();
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        let known = uid.filter(|uid| *uid == ours || *uid == 0);
        let whose = uid.map_or_else(|| LOCAL.to_owned(), |uid| format!("{LOCAL}, uid {uid}"));
        self.attend(stream, known.map_or(Proof::Stranger, Proof::Peer), whose).await;
    }

    /// One connection from its first byte to its last.
    async fn attend<S>(self: Arc<Self>, stream: S, proof: Proof, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut wire = Wire::new(stream);
        let by_password = matches!(proof, Proof::Scram(_));
        let (operator, key) = match tokio::time::timeout(LOGIN_WAIT, login(&mut wire, proof, &self.keys)).await {
            Ok(Ok(Some((operator, key)))) => (Arc::new(operator), key),
            Ok(Ok(None)) => return,
            Ok(Err(end)) => return self.login_failed(&mut wire, end, &peer).await,
            Err(_) => return self.login_failed(&mut wire, End::Refused(too_slow()), &peer).await,
        };
        self.sources.metrics.console_login("ok");
        // `floodwall ctl` comes for each command, exporters and health checks every few seconds, for ever; what changes something has a line of
        // its own, whoever does it.
        if by_password && operator.role == Role::Admin {
            self.log_admin(&operator, &peer);
        } else {
            tracing::debug!(who = operator.name, peer, "audit: console login");
        }
        let desk = Desk { wire: &mut wire, operator: Arc::clone(&operator), sources: self.sources.clone(), key };
        let Err(end) = session::run(desk).await else { return };
        tracing::debug!(who = operator.name, peer, %end, "console closed");
        if let End::Refused(failure) = &end {
            wire.farewell(failure).await;
        }
    }

    /// Somebody has proved to be who may change something.
    fn log_admin(&self, operator: &Operator, peer: &str) {
        if let Pass::Write { suppressed } = self.gate.pass(&format!("login {peer}")) {
            tracing::info!(who = operator.name, peer, suppressed, "audit: console login");
        }
    }

    async fn login_failed<S>(&self, wire: &mut Wire<S>, end: End, peer: &str)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Port scans and health checks open and close: nothing worth a line.
        let End::Refused(failure) = end else { return };
        self.sources.metrics.console_login("refused");
        if let Pass::Write { suppressed } = self.gate.pass("login") {
            let why = display_bytes(failure.message.as_bytes());
            tracing::warn!(peer, why, suppressed, "audit: console login refused");
        }
        tokio::time::sleep(FAILED_LOGIN_WAIT).await;
        wire.farewell(&failure).await;
    }

    /// The stream is closed by being dropped.
    fn turn_away(&self, peer: &str) {
        if let Pass::Write { suppressed } = self.gate.pass("full") {
            tracing::warn!(peer, suppressed, "console connection refused: too many are open");
        }
    }

    async fn accept_failed(&self, error: &io::Error) {
        if let Pass::Write { suppressed } = self.gate.pass("accept") {
            tracing::warn!(%error, suppressed, "console accept failed");
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    fn note_panic(&self, ended: Result<(), tokio::task::JoinError>) {
        if let (Err(error), Pass::Write { suppressed }) = (ended, self.gate.pass("panic")) {
            tracing::error!(%error, suppressed, "console connection failed");
        }
    }
}

fn too_slow() -> Failure {
    Failure::new("57014", "canceling authentication due to timeout")
}
