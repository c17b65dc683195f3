//! Options that every TCP socket of the data path gets.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stream::Stream;

/// A peer that is silent for this long is asked whether it is there; one that acknowledges nothing for this long is gone.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// No delay for small writes; keepalive and user timeout of 60 s, so that half-open peers are found.
///
/// # Errors
/// The socket is already broken.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(DEAD_AFTER / 2).with_interval(DEAD_AFTER / 6).with_retries(3);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(DEAD_AFTER))
}

/// Ends our side and waits for the peer to end its own: a socket that is closed while something lies unread resets the
/// connection, and what was sent last with it.
pub async fn close(mut peer: Stream) {
    if peer.shutdown().await.is_err() {
        return;
    }
    let mut unread = vec![0; 4096];
    while matches!(peer.read(&mut unread).await, Ok(count) if count > 0) {}
}
