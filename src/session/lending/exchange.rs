//! Messages of ours to a server that is lent, and its replies up to ReadyForQuery, while its session waits for none of its own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::stream::Stream;
use crate::wire::Transaction;
use crate::wire::pg::frame::server_head;
use crate::wire::pg::own::{EVENT_MAX, Event, event};

/// Read at once.
const READ: usize = 4096;

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    unsent: BytesMut,
    held: BytesMut,
    /// What the server said meanwhile that is for the client.
    aside: BytesMut,
    /// It came to its end. What the server says of itself may stand behind that.
    done: Option<Transaction>,
}

/// The exchange came to no end: the server is gone, or said what belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl Exchange {
    /// `bytes` are whole messages, of which the last is a Sync.
    pub fn new(bytes: BytesMut) -> Self {
        Self { unsent: bytes, held: BytesMut::new(), aside: BytesMut::new(), done: None }
    }

    /// What the server said meanwhile that is for the client.
    pub fn into_aside(self) -> BytesMut {
        self.aside
    }

    /// Ready once all of it is on its way.
    pub fn poll_sent(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<Result<(), Broken>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.unsent)) {
                Ok(sent @ 1..) => self.unsent.advance(sent),
                Ok(0) | Err(_) => return Poll::Ready(Err(Broken)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on, and hands each message over. Ready at ReadyForQuery.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        mut take: impl FnMut(Event<'_>),
    ) -> Poll<Result<Transaction, Broken>> {
        ready!(self.poll_sent(cx, stream))?;
        loop {
            if let Some(end) = self.walk(&mut take)? {
                return Poll::Ready(Ok(end));
            }
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.held.extend_from_slice(read.filled()),
                Ok(()) | Err(_) => return Poll::Ready(Err(Broken)),
            }
        }
    }

    fn walk(&mut self, take: &mut impl FnMut(Event<'_>)) -> Result<Option<Transaction>, Broken> {
        while let Some(head) = server_head(&self.held).map_err(|_| Broken)? {
            if head.size > EVENT_MAX {
                return Err(Broken);
            }
            let size = usize::try_from(head.size).unwrap_or(usize::MAX);
            if self.held.len() < size {
                return Ok(None);
            }
            let message = self.held.split_to(size);
            match event(head, &message) {
                Event::Notification => self.aside.extend_from_slice(&message),
                event @ (Event::Parameter(_) | Event::Notice) => take(event),
                // Nothing was asked behind it.
                _ if self.done.is_some() => return Err(Broken),
                Event::Done(transaction) => self.done = Some(transaction),
                event => take(event),
            }
        }
        let done = self.done.filter(|_| self.held.is_empty());
        if let Some(transaction) = done {
            take(Event::Done(transaction));
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &[u8] = b"Z\0\0\0\x05I";
    const NEWS: &[u8] = b"A\0\0\0\x13\0\0\0\x07news\0hello\0";

    /// What is heard of these bytes, with what the client gets.
    fn heard(pieces: &[&[u8]]) -> (Result<Option<Transaction>, Broken>, BytesMut) {
        let mut exchange = Exchange::new(BytesMut::new());
        let mut heard = Ok(None);
        for piece in pieces {
            exchange.held.extend_from_slice(piece);
            heard = exchange.walk(&mut |_| {});
        }
        (heard, exchange.into_aside())
    }

    #[test]
    fn a_notification_behind_the_end_belongs_to_the_client() {
        let done = Ok(Some(Transaction::None));
        assert_eq!(heard(&[DONE]), (done, BytesMut::new()));
        assert_eq!(heard(&[&[NEWS, DONE, NEWS].concat()]), (done, [NEWS, NEWS].concat().as_slice().into()));
        assert_eq!(heard(&[DONE, b"S\0\0\0\x08a\0b\0", NEWS]), (done, NEWS.into()));
        let (first, rest) = NEWS.split_at(9);
        assert_eq!(heard(&[&[DONE, first].concat()]).0, Ok(None), "the rest of it is on its way");
        assert_eq!(heard(&[&[DONE, first].concat(), rest]), (done, NEWS.into()));
        assert_eq!(heard(&[&[DONE, DONE].concat()]).0, Err(Broken), "nothing was asked behind it");
    }
}
