//! A stream on its way to another runtime.

use std::io;

use super::stream::Stream;

/// A stream that no runtime knows.
#[derive(Debug)]
pub enum Detached {
    /// Plain TCP.
    Tcp(std::net::TcpStream),
    /// A Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Takes the stream away from this thread's runtime.
    ///
    /// # Errors
    /// The socket is broken; it is gone then.
    pub fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Detached::Tcp),
            Self::Unix(stream) => stream.into_std().map(Detached::Unix),
        }
    }
}

impl Detached {
    /// Gives the stream to this thread's runtime.
    ///
    /// # Errors
    /// The runtime can't take it; it is gone then.
    pub fn attach(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => tokio::net::TcpStream::from_std(stream).map(Stream::Tcp),
            Self::Unix(stream) => tokio::net::UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}
