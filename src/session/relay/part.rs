//! The end of a relay, and what it leaves to whoever ran it.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::lease::{Behind, Left};
use super::source::Source;
use crate::session::end::End;
use crate::session::overseer::Overseer;
use crate::wire::{Announcement, Protocol};

/// What is left of a session when its relay ends.
#[derive(Debug)]
pub struct Remains<C, S, O> {
    /// Why it ended.
    pub end: End,
    /// The client's stream.
    pub client: C,
    /// Where its server came from, with the one at hand.
    pub server: S,
    /// What the server at hand is left with.
    pub left: Left,
    /// What it has said of that so far.
    pub behind: Behind,
    /// The overseer, with its books.
    pub overseer: O,
    /// Bytes that the client should still get, farewell included.
    pub last_words: BytesMut,
    /// A statement is running at the server that nobody waits for. After a goodbye none is: the server carries out what came before
    /// it, as it would without us.
    pub working: bool,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Takes the relay apart.
    pub(super) fn part(mut self, end: End) -> Remains<C, S, O> {
        let owed = !(P::ready(&self.phase) || P::skipping(&self.phase));
        let working = owed && !matches!(end, End::ServerGone | End::ClientQuit);
        let left = self.left();
        let pending = self.down.passing.saturating_add(self.down.dropping);
        let behind = Behind { pending, held: std::mem::take(&mut self.down.held) };
        let mut last_words = std::mem::take(&mut self.down.unsent);
        // Inside a frame that the client has half of, no other message can begin.
        if self.down.passing == 0 {
            last_words.extend_from_slice(&self.answers);
            let told = self.parted && end == End::ServerGone;
            if let Some(refusal) = end.farewell().filter(|_| !told) {
                P::announce(Announcement::Farewell(&refusal), &mut last_words);
            }
        }
        Remains {
            end,
            client: self.client,
            server: self.server,
            left,
            behind,
            overseer: self.overseer,
            last_words,
            working,
        }
    }
}
