//! One TLS connection as a stream.
//!
//! `rustls` keeps what the socket does not take. Whoever writes must not believe that it is sent, since nobody would come back for it:
//! so a write whose records do not all reach the socket stays *pending*, and is confirmed by the next one. That next write begins with
//! the same bytes, as those of every writer do that keeps what was not taken.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::certificate::Identity;
use super::spoken::version_label;

/// A TLS connection over `T`.
pub struct Socket<T = Carrier> {
    stream: TlsStream<T>,
    /// Bytes of the last write that `rustls` has taken and that were not confirmed.
    owed: usize,
    binding: Option<Arc<[u8]>>,
    peer: Option<Box<Identity>>,
}

impl<T> Socket<T> {
    pub(super) fn new(stream: TlsStream<T>, binding: Option<Arc<[u8]>>) -> Self {
        Self { stream, owed: 0, binding, peer: None }
    }

    pub(super) fn of_client(mut self) -> Self {
        let (_, session) = self.stream.get_ref();
        self.peer = session.peer_certificates().and_then(<[_]>::first).map(|first| Box::new(Identity::of(first)));
        self
    }

    /// The `tls-server-end-point` of RFC 5929: the same at both ends, unless somebody sits between them. `None` where the
    /// certificate's signature has no hash.
    pub fn channel_binding(&self) -> Option<&[u8]> {
        self.binding.as_deref()
    }

    /// Names of the client's certificate, which was checked; `None` where it showed none or was not asked.
    pub fn peer_identity(&self) -> Option<&Identity> {
        self.peer.as_deref()
    }

    /// `TLSv1.3` or `TLSv1.2`.
    pub fn version(&self) -> &'static str {
        version_label(self.stream.get_ref().1.protocol_version())
    }

    /// Did both ends agree on this protocol (ALPN)?
    pub fn speaks(&self, protocol: &[u8]) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(protocol)
    }

    /// Was an earlier session taken up again?
    pub fn resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

impl Socket {
    /// Takes the socket away from this thread's runtime; until [`Self::attached`] nothing can be read or written.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn detached(mut self) -> io::Result<Self> {
        self.stream.get_mut().0.detach()?;
        Ok(self)
    }

    /// Gives the socket to this thread's runtime.
    ///
    /// # Errors
    /// The runtime can't take it.
    pub fn attached(mut self) -> io::Result<Self> {
        self.stream.get_mut().0.attach()?;
        Ok(self)
    }
}

impl<T> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("version", &self.version()).field("owed", &self.owed).finish_non_exhaustive()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.owed > 0 {
            ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
            let confirmed = this.owed.min(bytes.len());
            this.owed -= confirmed;
            return Poll::Ready(Ok(confirmed));
        }
        let taken = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        match Pin::new(&mut this.stream).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map(|()| taken)),
            Poll::Pending => {
                this.owed = taken;
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Sends what `rustls` holds, the goodbye of TLS and that of TCP. Reading goes on.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A socket below TLS, of which something may have been read already.
#[derive(Debug)]
pub struct Carrier {
    read: Bytes,
    line: Line,
}

/// Which runtime a socket belongs to.
#[derive(Debug, Default)]
enum Line {
    /// This thread's.
    Here(TcpStream),
    /// None: it is on its way to another.
    Away(std::net::TcpStream),
    /// It is gone.
    #[default]
    Gone,
}

impl Line {
    fn socket(&mut self) -> io::Result<&mut TcpStream> {
        match self {
            Self::Here(socket) => Ok(socket),
            Self::Away(_) | Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Carrier {
    /// `read` comes before what the socket still has.
    pub const fn new(read: Bytes, socket: TcpStream) -> Self {
        Self { read, line: Line::Here(socket) }
    }

    /// True where the peer's next bytes are at hand. Cancel-safe.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.line {
            Line::Here(socket) if self.read.is_empty() => socket.readable().await,
            _ => Ok(()),
        }
    }

    fn detach(&mut self) -> io::Result<()> {
        if let Line::Here(socket) = std::mem::take(&mut self.line) {
            self.line = Line::Away(socket.into_std()?);
        }
        Ok(())
    }

    fn attach(&mut self) -> io::Result<()> {
        if let Line::Away(socket) = std::mem::take(&mut self.line) {
            self.line = Line::Here(TcpStream::from_std(socket)?);
        }
        Ok(())
    }
}

impl AsyncRead for Carrier {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(self.line.socket()?).poll_read(cx, buf);
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(self.read.get(..count).unwrap_or_default());
        self.read.advance(count);
        if self.read.is_empty() {
            // An empty part would still share the memory of the whole.
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.line.socket()?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.line.socket()?).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.line.socket()?).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.line.socket()?).poll_shutdown(cx)
    }
}
