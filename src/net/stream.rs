//! A peer's stream, whatever carries it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::{Identity, Socket};

/// The stream to a client or a server. Every variant reads and writes as [`AsyncRead`] and [`AsyncWrite`] promise; none says of bytes
/// that they are written before the system has them. After a write that is pending, the next one begins with the same bytes.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<Socket>),
    /// None: what is left where a stream was taken away. It reads as ended and takes nothing.
    Gone,
}

impl Stream {
    /// The `tls-server-end-point` binding (RFC 5929) of this connection: the hash of the certificate that its server end shows, which
    /// towards clients is ours. `None` without TLS, and where the certificate's signature has no hash function: then there is no
    /// SCRAM-SHA-256-PLUS.
    pub fn channel_binding(&self) -> Option<&[u8]> {
        self.tls().and_then(Socket::channel_binding)
    }

    /// Names of the client's certificate, where the listener checks certificates (`verify-ca`, `verify-full`).
    pub fn peer_identity(&self) -> Option<&Identity> {
        self.tls().and_then(Socket::peer_identity)
    }

    /// `TLSv1.3` or `TLSv1.2`; `None` without TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        self.tls().map(Socket::version)
    }

    /// Is it encrypted?
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Reads what is there, without asking the system where nothing is known to be, and without asking to be woken.
    pub fn try_read(&mut self, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            Self::Unix(stream) => stream.try_read(bytes),
            Self::Tls(stream) => {
                let mut buf = ReadBuf::new(bytes);
                let mut cx = Context::from_waker(Waker::noop());
                let read = ready!(Pin::new(&mut **stream).poll_read(&mut cx, &mut buf));
                return Poll::Ready(read.map(|()| buf.filled().len()));
            }
            Self::Gone => Ok(0),
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }

    fn tls(&self) -> Option<&Socket> {
        match self {
            Self::Tls(socket) => Some(socket),
            Self::Tcp(_) | Self::Unix(_) | Self::Gone => None,
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self::Tls(Box::new(socket))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
