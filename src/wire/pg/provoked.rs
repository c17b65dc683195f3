//! Refusals whose error the server raises: it is made to fail on a word of ours, and its error is exchanged.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::{refusal, reply};
use crate::wire::{Failure, Refusal};

/// Refusals that may wait for the server's error. A pipeline that has failed already raises none of those behind the failure, so
/// more of them would pile up as long as the client sends; whoever reads none of that many answers misses the words of the oldest.
const PROVOKED_MAX: usize = 256;

/// What the server calls an unknown word, and a COPY that its client broke off.
const PROVOKED_AS: [&[u8; 5]; 2] = [b"42601", b"57014"];

/// The refusals of a session that the server has yet to fail on, in the order of the stream.
#[derive(Debug, Default)]
pub(super) struct Provoked {
    pub(super) queue: VecDeque<Expected>,
    sent: u64,
}

/// A refusal whose error the server is going to raise.
#[derive(Debug)]
pub(super) struct Expected {
    /// The word that the server fails on, which its message repeats.
    word: String,
    /// The ErrorResponse that goes to the client instead.
    error: Vec<u8>,
}

impl Provoked {
    /// Keeps the text of a refusal until the server has failed on the word that this returns.
    pub(super) fn add(&mut self, refusal: &Refusal) -> String {
        self.sent = self.sent.saturating_add(1);
        // Identifiers are cut at 63 bytes, so rule names stay well below 40.
        let word = format!("floodwall_refused_{}_{}", refusal.rule, self.sent);
        let mut error = BytesMut::new();
        refusal::error(refusal, &mut error);
        if self.queue.len() >= PROVOKED_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back(Expected { word: word.clone(), error: error.to_vec() });
        word
    }

    /// The error that goes to the client in the place of the server's, where that is one of these. Older ones were skipped, and go.
    pub(super) fn raised(&mut self, failure: Failure, frame: &[u8]) -> Option<Vec<u8>> {
        if !PROVOKED_AS.contains(&&failure.sqlstate) {
            return None;
        }
        let at = self.queue.iter().position(|expected| names(frame, &expected.word))?;
        self.queue.drain(..=at).next_back().map(|expected| expected.error)
    }
}

/// The server repeats the word that it stumbled over, in the quotes of its language. The borders keep `_1` and `_11` apart.
pub(super) fn names(frame: &[u8], word: &str) -> bool {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut rest = reply::message(frame);
    let mut before = None;
    while let Some(at) = rest.windows(word.len()).position(|window| window == word.as_bytes()) {
        let (start, after) = rest.split_at_checked(at).unwrap_or_default();
        let after = after.get(word.len()..).unwrap_or_default();
        let standing_alone = |byte: Option<&u8>| !byte.is_some_and(of_word);
        if standing_alone(start.last().or(before)) && standing_alone(after.first()) {
            return true;
        }
        before = word.as_bytes().last();
        rest = after;
    }
    false
}
