//! Whole frames on a stream: for logins, where frames are few and small. The data path has its own loop.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::{Head, Malformed};

/// The most bytes that one frame of a login may have.
pub const FRAME_MAX: usize = 64 * 1024;

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The peer closed between two frames or inside one.
    #[error("the connection was closed")]
    Closed,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are no frame.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A stream with the bytes that were read from it and not taken, and those that go out with what is sent next.
#[derive(Debug)]
pub struct Framed<S> {
    stream: S,
    buf: BytesMut,
    held: BytesMut,
}

impl<S> Framed<S> {
    /// The same around what `change` makes of the stream: what was read, and what is to go out, comes along.
    ///
    /// # Errors
    /// Those of `change`; everything is gone then.
    pub fn carried<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<Framed<T>, E> {
        let Self { stream, buf, held } = self;
        Ok(Framed { stream: change(stream)?, buf, held })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    /// Wraps a stream of which nothing has been read.
    pub fn new(stream: S) -> Self {
        Self::with_read(stream, BytesMut::new())
    }

    /// Wraps a stream of which so much has been read.
    pub fn with_read(stream: S, buf: BytesMut) -> Self {
        Self { stream, buf, held: BytesMut::new() }
    }

    /// The stream, for what it knows of its peer.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Puts another stream in this one's place; gives this one back with what was read from it and not taken.
    pub fn exchange(&mut self, stream: S) -> (S, BytesMut) {
        (std::mem::replace(&mut self.stream, stream), std::mem::take(&mut self.buf))
    }

    /// The bytes at hand.
    pub fn peek(&self) -> &[u8] {
        &self.buf
    }

    /// Reads more. Cancel-safe: no byte is lost.
    ///
    /// # Errors
    /// The peer closed, the stream failed, or more lies here than any login needs.
    pub async fn fill(&mut self) -> Result<(), Broken> {
        if self.buf.len() > FRAME_MAX {
            return Err(Malformed::TooLong.into());
        }
        self.buf.reserve(1024);
        match self.stream.read_buf(&mut self.buf).await? {
            0 => Err(Broken::Closed),
            _ => Ok(()),
        }
    }

    /// Returns when the peer has closed. What it sends meanwhile is kept, up to [`FRAME_MAX`]; beyond that nothing is noticed.
    /// Cancel-safe.
    pub async fn closed(&mut self) {
        while self.buf.len() < FRAME_MAX {
            if self.fill().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Takes `count` bytes that are at hand; fewer where there are fewer.
    pub fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.buf.len());
        self.buf.split_to(count).freeze()
    }

    /// Takes the next frame if all of it is at hand.
    ///
    /// # Errors
    /// The bytes are no frame, or it is longer than [`FRAME_MAX`].
    pub fn frame(
        &mut self,
        cut: impl Fn(&[u8]) -> Result<Option<Head>, Malformed>,
    ) -> Result<Option<(Head, Bytes)>, Malformed> {
        let Some(head) = cut(&self.buf)? else { return Ok(None) };
        let size = usize::try_from(head.size).map_err(|_| Malformed::TooLong)?;
        if size > FRAME_MAX {
            return Err(Malformed::TooLong);
        }
        Ok((self.buf.len() >= size).then(|| (head, self.take(size))))
    }

    /// Keeps `bytes` until something else is sent: whoever has to hear more at once is written to, and woken, once.
    pub fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Writes all of `bytes`, and before them what is held. Not cancel-safe: part of them may be written.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.held.is_empty() {
            return self.stream.write_all(bytes).await;
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        self.stream.write_all(&all).await
    }

    /// The stream and what was read from it and not taken.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_read_and_what_is_held_comes_along_with_another_stream() {
        let (first, _) = tokio::io::duplex(64);
        let (second, mut theirs) = tokio::io::duplex(64);
        let mut framed = Framed::with_read(first, BytesMut::from("read"));
        framed.hold(b"held ");
        let mut framed = framed.carried(|_| io::Result::Ok(second)).unwrap();
        assert_eq!(framed.peek(), b"read");
        framed.send(b"sent").await.unwrap();
        let mut seen = [0; 9];
        theirs.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"held sent");
    }

    #[tokio::test]
    async fn what_is_held_goes_out_once_before_what_is_sent_next() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut framed = Framed::new(ours);
        framed.hold(b"a");
        framed.hold(b"b");
        assert!(futures::poll!(std::pin::pin!(theirs.read_u8())).is_pending(), "nothing is sent yet");
        framed.send(b"c").await.unwrap();
        framed.send(b"d").await.unwrap();
        drop(framed);
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"abcd");
    }
}
