//! What the relay asks of whoever watches a session, and tells it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::cancel::Target;
use super::end::End;
use super::reader::Text;
use super::watch::{Excess, Reach, Ruling, Tally, Watch, Work};
use crate::sql::facts::Traces;
use crate::wire::{Failure, Refusal, Request, Setting, Transaction};

/// What is thought of a statement.
#[derive(Debug)]
pub enum Opinion {
    /// It passes.
    Allow,
    /// It passes; the client is told what `enforce` would have said.
    Warn(Refusal),
    /// It does not pass.
    Refuse(Refusal),
    /// It takes so many bytes of the frame to tell: ask again when they are there, or all of it. Whoever has that many decides.
    More(u64),
    /// It is being read elsewhere: ask [`Overseer::poll_opinion`].
    Wait,
    /// Its text, or what it binds, is too long to be read here: hand it to [`Overseer::lend`], then ask [`Overseer::poll_opinion`].
    Lend,
}

/// What a request may leave behind in its session.
#[derive(Debug, Clone, Default)]
pub enum Leaves {
    /// Nothing.
    #[default]
    Nothing,
    /// Nobody has read it.
    Unread,
    /// What this text may leave, given its tables.
    Traces(Rc<Text>, Traces),
}

/// How large a frame is, and how much of it is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the whole frame.
    pub size: u64,
    /// Bytes at hand, from its start.
    pub held: u64,
}

/// Whom the relay asks, and tells what happens. Everything here runs between two reads, so it must be quick.
pub trait Overseer {
    /// The most SQL text that an opinion needs to see.
    fn hold(&self) -> u64;
    /// May an incomplete frame grow to this many bytes?
    fn reserve(&mut self, bytes: usize) -> Result<(), Refusal>;
    /// The frame that reservations were for is gone.
    fn release(&mut self);
    /// Judges a request; `frame` is what it was read of.
    fn opinion(&mut self, request: Request<'_>, frame: Extent) -> Opinion;
    /// The opinion that was not ready. Called again and again until it is.
    fn poll_opinion(&mut self, cx: &mut Context<'_>) -> Poll<Opinion>;
    /// What is to be watched of a request that is about to go to the server. Asked again where it has to wait.
    fn watch(&mut self, request: Request<'_>) -> Watch;
    /// Something turned out to be more than a [`Watch`] allows.
    fn excess(&mut self, excess: Excess, reach: Reach) -> Ruling;
    /// Has the statement at work just become too late? Told once.
    fn late(&mut self) -> bool;
    /// A reply has ended, or was cut: what it sent and changed.
    fn tally(&mut self, tally: Tally);
    /// What the server works on is to be stopped, for this rule.
    fn stop(&mut self, rule: &'static str);
    /// A cancel of the client's goes to what the server works on, by itself. That is stopped as well, if it has not ended by then.
    fn insist(&mut self) {}
    /// Stops it. Ready once it has ended and nothing that was sent to stop it can reach the server any more.
    fn poll_stopped(&mut self, cx: &mut Context<'_>, work: Work) -> Poll<()>;
    /// The text, or the values, of the request whose opinion was [`Opinion::Lend`]. It is let go before the opinion is ready.
    fn lend(&mut self, text: Bytes);
    /// Nobody waits for the opinion any more.
    fn withdraw(&mut self);
    /// More of the COPY data went by of which the beginning was judged.
    fn data(&mut self, bytes: &[u8]);
    /// A request goes to the server.
    fn forwarded(&mut self, request: Request<'_>);
    /// What a request that goes to the server may leave behind there. Asked only where the server is lent.
    fn leaves(&mut self, _request: Request<'_>) -> Leaves {
        Leaves::Nothing
    }
    /// The server finished a request; `ready` tells whether it owes more.
    fn boundary(&mut self, transaction: Transaction, owes: Owes);
    /// The server has failed on something, for whatever reason, and skips what it was sent behind that in the same group.
    fn skips(&mut self) {}
    /// The server raised an error of its own.
    fn failed(&mut self, failure: Failure);
    /// A setting changed how SQL is read.
    fn setting(&mut self, setting: Setting);
    /// Where a cancel of the client's wants to know what runs at the server at hand, with all that has come in before.
    fn asked(&self) -> Option<&Arc<Target>> {
        None
    }
    /// Is a request, judged last of its kind, known to leave the transaction open that it runs in?
    fn keeps_transaction(&self, _request: Request<'_>) -> bool {
        false
    }
    /// Bytes moved.
    fn moved(&mut self, way: Way, bytes: usize);
    /// Should a client that is idle outside a transaction be held back now?
    fn paused(&mut self, cx: &mut Context<'_>) -> bool;
    /// Must the session end now? `idle`: it is outside a transaction and owes nothing.
    fn ending(&mut self, at: Rest) -> Option<End>;
}

/// Whether the server still owes replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owes {
    /// It owes none.
    Nothing,
    /// More replies are on their way.
    More,
}

/// Whether a session rests between transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is owed and no transaction is open.
    Idle,
    /// Something is going on.
    Working,
}

/// Direction and end of a movement of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Read from the client.
    FromClient,
    /// Written to the server.
    ToServer,
    /// Read from the server.
    FromServer,
    /// Written to the client.
    ToClient,
}
