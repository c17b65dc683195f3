//! What the relay asks of whoever watches a session, and tells it.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::end::End;
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
    /// It is being read elsewhere: ask [`Overseer::poll_opinion`].
    Wait,
    /// Its text is too long to be read here: hand it to [`Overseer::lend`], then ask [`Overseer::poll_opinion`].
    Lend,
}

/// Whom the relay asks, and tells what happens. Everything here runs between two reads, so it must be quick.
pub trait Overseer {
    /// The most SQL text that an opinion needs to see.
    fn hold(&self) -> u64;
    /// May an incomplete frame grow to this many bytes?
    fn reserve(&mut self, bytes: usize) -> Result<(), Refusal>;
    /// The frame that reservations were for is gone.
    fn release(&mut self);
    /// Judges a request; `size` is that of its whole frame.
    fn opinion(&mut self, request: Request<'_>, size: u64) -> Opinion;
    /// The opinion that was not ready. Called again and again until it is.
    fn poll_opinion(&mut self, cx: &mut Context<'_>) -> Poll<Opinion>;
    /// The text of the request whose opinion was [`Opinion::Lend`]. It is let go before the opinion is ready.
    fn lend(&mut self, text: Bytes);
    /// Nobody waits for the opinion any more.
    fn withdraw(&mut self);
    /// A request goes to the server.
    fn forwarded(&mut self, request: Request<'_>);
    /// The server finished a request; `ready` tells whether it owes more.
    fn boundary(&mut self, transaction: Transaction, owes: Owes);
    /// The server raised an error of its own.
    fn failed(&mut self, failure: Failure);
    /// A setting changed how SQL is read.
    fn setting(&mut self, setting: Setting);
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
