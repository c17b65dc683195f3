//! An accepted socket on its way to the runtime that will carry it.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use bytes::BytesMut;

use super::stream::Stream;

/// What is looked for at most: a first packet seldom has half of that.
const EARLY_MAX: usize = 512;

/// A socket of no runtime, set not to block.
#[derive(Debug)]
pub enum Arrived {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Arrived {
    /// What the peer has said already, as far as it fits: of a crowd that had to wait to be accepted, everybody has. Never waits. That the
    /// peer has closed, or the socket is broken, shows at the next look.
    pub fn said(&mut self) -> BytesMut {
        let mut early = [0; EARLY_MAX];
        let count = self.read(&mut early).unwrap_or_default();
        early.get(..count).unwrap_or_default().into()
    }

    /// Gives it to the runtime of the calling thread.
    ///
    /// # Errors
    /// The runtime could not take it.
    pub fn settle(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => tokio::net::TcpStream::from_std(stream)?.into(),
            Self::Unix(stream) => tokio::net::UnixStream::from_std(stream)?.into(),
        })
    }
}

impl io::Read for Arrived {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
        }
    }
}

impl io::Write for Arrived {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
