//! Options that every TCP socket of the data path gets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stream::Stream;

/// A peer that is silent for this long is asked whether it is there; one that acknowledges nothing for this long is gone.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// How a sender on the same machine decides how much it sends at once: the plainest way that every kernel lets everybody use. There is no
/// path between the two whose rate could be found out, and finding it out (BBR keeps a model for each connection and spreads its
/// segments over time) takes a tenth of what a short reply takes.
const LOCAL_CONGESTION: &[u8] = b"reno";

/// No delay for small writes; keepalive and user timeout of 60 s, so that half-open peers are found. Between two ends on one machine
/// the congestion control is Reno (RFC 5681), where the system lets us choose; to anybody else it is the system's.
///
/// # Errors
/// The socket is already broken.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    set_options(stream)?;
    choose_congestion(stream, stream.peer_addr()?);
    Ok(())
}

/// The same for a socket that is going to listen: on Linux those that it accepts come with the options that it has, which saves half a dozen
/// system calls for each.
///
/// # Errors
/// The system refused an option.
pub fn prepare_listener(listener: &impl AsFd) -> io::Result<()> {
    set_options(listener)
}

/// The same for an accepted socket.
///
/// # Errors
/// The socket is already broken.
pub fn prepare_accepted(stream: &impl AsFd, peer: SocketAddr, listener: Listener) -> io::Result<()> {
    if listener == Listener::Unprepared {
        set_options(stream)?;
    }
    choose_congestion(stream, peer);
    Ok(())
}

/// Whether the options were set before the first client came, see [`prepare_listener`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// They were.
    Prepared,
    /// Clients may have come earlier.
    Unprepared,
}

fn set_options(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let probes = TcpKeepalive::new().with_time(DEAD_AFTER / 2).with_interval(DEAD_AFTER / 6).with_retries(3);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(DEAD_AFTER))
}

fn choose_congestion(socket: &impl AsFd, peer: SocketAddr) {
    if peer.ip().to_canonical().is_loopback() {
        // Whoever may not choose goes on with what the system has.
        let _ = SockRef::from(socket).set_tcp_congestion(LOCAL_CONGESTION);
    }
}

/// Ends our side and waits for the peer to end its own: a socket that is closed while something lies unread resets the
/// connection, and what was sent last with it. Cancel safe: dropped, it closes the socket at once.
pub async fn close(mut peer: Stream) {
    if peer.shutdown().await.is_err() {
        return;
    }
    let mut unread = vec![0; 4096];
    while matches!(peer.read(&mut unread).await, Ok(count) if count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_peer_on_this_machine_is_sent_to_without_a_model_of_the_path() {
        // A listener for both families meets the address of one in that of the other.
        for (local, peer) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")] {
            // Not every machine has both families.
            let Ok(listener) = TcpListener::bind(local).await else { continue };
            let dialled = TcpStream::connect((peer, listener.local_addr().unwrap().port())).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            for stream in [dialled, accepted] {
                prepare(&stream).unwrap();
                let name = SockRef::from(&stream).tcp_congestion().unwrap();
                assert!(name.starts_with(LOCAL_CONGESTION), "{local}: {}", name.escape_ascii());
                assert!(stream.nodelay().unwrap());
            }
        }
    }
}
