//! Where a session's server comes from: its own for life, or one that is lent for a transaction.

use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::session::overseer::Leaves;
use crate::wire::{Head, Malformed, Outgoing, Refusal, Request};

/// Whose a server's message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The client's.
    Client,
    /// Ours: the client never asked for it.
    Ours,
    /// Ours, and what the client gets in its place answers nothing that it asked: it gets that whatever becomes of the group at hand.
    Aside,
    /// Ours, since what it answers is asked once more: [`Source::take_again`]. Nothing was sent behind that.
    Again,
}

/// What becomes of a client's message at a server that is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It goes as it is, behind what was written for the server.
    AsIs,
    /// What was written for the server takes the place of so many bytes of it; the rest follows.
    Behind(usize),
    /// It does not go there.
    Withheld,
    /// What it means depends on the groups before it: it is asked again once they are answered. Nothing was written.
    Later,
}

/// What of the client has been read and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// All that it has sent, as far as anybody knows.
    All,
    /// There may be more, or it is held back.
    NotAll,
}

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

    /// Bytes from the start of a client's message that [`Source::asks`] wants, of which `frame` is at hand.
    fn needs(&self, _head: Head, _frame: &[u8]) -> u64 {
        0
    }

    /// A client's message is about to go to the server at hand. What is written to `out` goes to the server before it, and to the client.
    ///
    /// # Errors
    /// The server must not see it.
    fn asks(&mut self, _head: Head, _frame: &[u8], _out: &mut Outgoing<'_>) -> Result<Course, Refusal> {
        Ok(Course::AsIs)
    }

    /// May the server at hand be lost without anything of its client's that stands there alone, but for the statement at work?
    fn is_expendable(&self) -> bool {
        false
    }

    /// Has the server at hand something of ours to do before what its client sent, so that a cancel would hit that?
    fn is_occupied(&self) -> bool {
        false
    }

    /// The server at hand is lost: what comes from here on is said in its place, and answers the client.
    fn falls_silent(&mut self) {}

    /// The server at hand is lost, and its client is told of the statement at work with this. There is none at hand from here on.
    fn lost(&mut self, _refusal: &Refusal) {}

    /// Whole messages of ours go to the server at hand.
    fn sent(&mut self, _bytes: &[u8]) {}

    /// The server at hand has sent a message, of which `frame` is at hand. What is written to `client` goes there behind it.
    ///
    /// # Errors
    /// It answers nothing.
    fn answers(&mut self, _head: Head, _frame: &[u8], _client: &mut BytesMut) -> Result<Whose, Malformed> {
        Ok(Whose::Client)
    }

    /// What goes to the server at hand once more: whole messages, whose answers are the client's.
    fn take_again(&mut self) -> BytesMut {
        BytesMut::new()
    }

    /// Why a client's message that leaves this must not go to the server at hand.
    fn denies(&mut self, _leaves: &Leaves) -> Option<Refusal> {
        None
    }

    /// A client's message that goes to the server at hand may leave something in its session.
    fn leaves(&mut self, _request: Request<'_>, _leaves: Leaves) {}

    /// Goes on with what is ours to do at the server, behind the client's back. True where that has come to an end.
    fn poll_own(&mut self, _cx: &mut Context<'_>, _seen: Seen) -> bool {
        false
    }

    /// What the client is to be told beside its replies: whole messages.
    fn take_words(&mut self) -> BytesMut {
        BytesMut::new()
    }

    /// May the client ask more before the server has answered?
    fn has_room(&self) -> bool {
        true
    }

    /// Was the last that was asked the end of a group, which the server answers whatever happens?
    fn ends_a_group(&self) -> bool {
        false
    }

    /// Does the server owe an answer for which a message has to wait ([`Course::Later`])?
    fn owes(&self) -> bool {
        false
    }

    /// Has all been answered that was asked?
    fn is_settled(&self) -> bool {
        true
    }
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
