//! Where a session's server comes from: its own for life, or one that is lent for a transaction.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::Refusal;

/// A source of one server at a time.
///
/// Between transactions a session whose servers are lent holds none. The relay asks for one when the client's first message that
/// needs it has been judged, and gives it back at the first moment at which nothing is owed, nothing is half sent or half read, no
/// transaction is open and nothing of the relay's own is under way.
pub trait Source {
    /// A server's stream.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Servers are lent for a transaction. False: there is one, from the beginning to the end, and nothing below is asked.
    const LENT: bool;

    /// The server at hand.
    fn stream(&mut self) -> Option<&mut Self::Stream>;

    /// Is there one at hand?
    fn is_here(&self) -> bool;

    /// Takes a server that is free at once. True where one is at hand now. Nobody who waits is overtaken.
    fn try_lease(&mut self) -> bool;

    /// Waits for a server, in the order of asking. Called again and again until it is ready; then a server is at hand, or the
    /// refusal says why not and nothing is asked for any more. Dropping the source leaves the queue.
    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>>;

    /// Gives the server at hand back, clean. Nothing happens where there is none.
    fn give_back(&mut self);
}

/// A server of the session's own.
#[derive(Debug)]
pub struct Owned<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Owned<S> {
    type Stream = S;

    const LENT: bool = false;

    fn stream(&mut self) -> Option<&mut S> {
        Some(&mut self.0)
    }

    fn is_here(&self) -> bool {
        true
    }

    fn try_lease(&mut self) -> bool {
        true
    }

    fn poll_lease(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn give_back(&mut self) {}
}
