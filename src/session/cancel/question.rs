//! What a cancel asks a session that has a server: is there anything at work, with all that its client has sent before?

use std::sync::atomic::{AtomicU8, Ordering};

/// Nobody has asked.
const NONE: u8 = 0;
/// Somebody asks, and the session has not noticed.
const ASKED: u8 = 1;
/// It looks.
const LOOKING: u8 = 2;
const NOTHING: u8 = 3;
const WORK: u8 = 4;
const STRUCK: u8 = 5;

/// What the session has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing runs, and nothing has come in.
    Nothing,
    /// The server works on something, or may.
    Work,
    /// A statement that had not gone to the server: it does not go there any more.
    Struck,
}

/// One question at a time: whoever asks while the session looks has it look again.
#[derive(Debug, Default)]
pub(super) struct Question(AtomicU8);

impl Question {
    pub(super) fn ask(&self) {
        self.0.store(ASKED, Ordering::SeqCst);
    }

    /// Whoever asked waits no longer. What the session reads from here on may have come later, unless it has begun to look before.
    pub(super) fn withdraw(&self) {
        self.turns(ASKED, NONE);
    }

    /// Is there no answer yet?
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), ASKED | LOOKING)
    }

    /// The session begins to look. False where it has begun before.
    pub(super) fn begins(&self) -> bool {
        self.turns(ASKED, LOOKING)
    }

    /// The session has looked. False where nobody waits for that, or somebody asks who came later.
    pub(super) fn is_answered_by(&self, found: Found) -> bool {
        match found {
            Found::Nothing => self.turns(LOOKING, NOTHING),
            Found::Work => self.turns(LOOKING, WORK),
            Found::Struck => self.turns(LOOKING, STRUCK) || self.turns(ASKED, STRUCK),
        }
    }

    /// What the session has found.
    pub(super) fn answer(&self) -> Option<Found> {
        match self.0.load(Ordering::SeqCst) {
            WORK => Some(Found::Work),
            STRUCK => Some(Found::Struck),
            NONE | NOTHING => Some(Found::Nothing),
            _ => None,
        }
    }

    fn turns(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
