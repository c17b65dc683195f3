//! Reading and writing as far as a peer goes along, without waiting.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are written at once before others get their turn.
const TURN_BYTES: usize = 128 * 1024;

/// Reads into the lent buffer; `Ready(0)` is the end.
pub(super) fn poll_read<T: AsyncRead + Unpin>(
    stream: &mut T,
    cx: &mut Context<'_>,
    lent: &mut [u8],
) -> std::io::Result<Poll<usize>> {
    let mut buf = ReadBuf::new(lent);
    match Pin::new(stream).poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) => Ok(Poll::Ready(buf.filled().len())),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(Poll::Pending),
    }
}

/// Writes what waits, then `bytes`; keeps what the peer does not take now. The number of bytes written.
pub(super) fn send<T: AsyncWrite + Unpin>(
    stream: &mut T,
    cx: &mut Context<'_>,
    unsent: &mut BytesMut,
    bytes: &[u8],
) -> std::io::Result<usize> {
    if !unsent.is_empty() {
        unsent.extend_from_slice(bytes);
        return flush(stream, cx, unsent);
    }
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match poll_write(stream, cx, rest) {
            Poll::Ready(count) => sent += count?,
            Poll::Pending => {
                unsent.extend_from_slice(rest);
                break;
            }
        }
    }
    Ok(sent)
}

/// Writes what waits, as far as the peer takes it and the turn lasts. An emptied buffer gives its memory back.
pub(super) fn flush<T: AsyncWrite + Unpin>(
    stream: &mut T,
    cx: &mut Context<'_>,
    unsent: &mut BytesMut,
) -> std::io::Result<usize> {
    let mut sent = 0;
    while !unsent.is_empty() {
        let left = TURN_BYTES.saturating_sub(sent);
        if left == 0 {
            return Ok(sent);
        }
        match poll_write(stream, cx, unsent.get(..left).unwrap_or(unsent)) {
            Poll::Ready(count) => {
                let count = count?;
                unsent.advance(count);
                sent += count;
            }
            Poll::Pending => return Ok(sent),
        }
    }
    *unsent = BytesMut::new();
    Ok(sent)
}

fn poll_write<T: AsyncWrite + Unpin>(
    stream: &mut T,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<std::io::Result<usize>> {
    let count = ready!(Pin::new(stream).poll_write(cx, bytes))?;
    Poll::Ready(if count == 0 { Err(std::io::ErrorKind::WriteZero.into()) } else { Ok(count) })
}
