//! What a client's names may stand for beside what it has prepared under them last.
//!
//! The server skips a Parse or a Close behind an error, and refuses a Parse under a name that is taken: then the name stands for what it
//! did before. Nobody here is told which of them failed, so whatever was replaced stays a possible meaning until the server has answered
//! all without an error. What the group at hand has prepared is beyond doubt: where that fails, so does what follows there.

use std::sync::Arc;

use super::named::{Named, Weighs};
use super::prepared::Statement;
use crate::session::memory::Budget;

/// How a name is given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// By a Parse: the server may refuse it for the name, unless that is the empty one.
    Prepares,
    /// By a Close, which never fails.
    Closes,
}

/// How far the server is with what it was sent since it owed nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flight {
    /// Counts its groups.
    group: u16,
    fate: Fate,
}

/// What the server makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fate {
    /// Nothing of it can fail.
    #[default]
    Sure,
    Unsure,
    Failed,
}

/// What one name stood for.
#[derive(Debug)]
pub(super) struct Earlier {
    meanings: Meanings,
    /// In which group of this flight it was given another one; `None`: in one that failed, or so long ago that nobody knows.
    group: Option<u16>,
}

/// Whatever a name may stand for.
#[derive(Debug, Clone)]
pub(super) enum Meanings {
    /// One of these, or what was prepared last.
    Few(Vec<Statement>),
    /// Nobody knows.
    Many,
}

impl Named<Earlier> {
    /// A name of this meaning gets another one, or none. False where there is no room to remember what it was.
    pub(super) fn changes(&mut self, budget: &Arc<Budget>, name: &[u8], old: Option<&Statement>, at: Flight) -> bool {
        let group = Some(at.group);
        let Some(earlier) = self.get_mut(name) else {
            let Some(old) = old else { return true };
            let meanings = Meanings::Few(vec![old.clone()]);
            return self.insert(budget, name, Earlier { meanings, group });
        };
        earlier.group = group;
        let Some(meanings) = old.and_then(|old| earlier.meanings.with(old)) else { return true };
        self.insert(budget, name, Earlier { meanings, group })
    }

    /// What a name may stand for beside what was prepared last; `None`: nothing.
    pub(super) fn of(&self, name: &[u8], at: Flight) -> Option<&Meanings> {
        self.get(name).filter(|earlier| earlier.group != Some(at.group)).map(|earlier| &earlier.meanings)
    }

    /// What stands for them was not given in any group that is still at hand.
    pub(super) fn ages(&mut self) {
        self.for_each(|earlier| earlier.group = None);
    }

    /// The server has answered all of a flight.
    pub(super) fn settled(&mut self, flight: Flight) {
        match flight.fate {
            Fate::Failed => self.ages(),
            Fate::Sure | Fate::Unsure => self.retain(|earlier| earlier.group.is_none()),
        }
    }
}

impl Flight {
    /// Is it certain that the server does this, whatever becomes of what was sent before?
    pub(super) fn is_sure(self, name: &[u8], change: Change) -> bool {
        self.fate == Fate::Sure && (change == Change::Closes || name.is_empty())
    }

    /// The server was sent what may fail.
    pub(super) fn asks(&mut self) {
        if self.fate == Fate::Sure {
            self.fate = Fate::Unsure;
        }
    }

    /// The server goes on behind this, whatever failed before. False where the count begins again.
    pub(super) fn ends_group(&mut self) -> bool {
        self.group = self.group.wrapping_add(1);
        self.group > 0
    }

    /// The server has failed on something, and skips what it was sent behind that.
    pub(super) fn fails(&mut self) {
        self.fate = Fate::Failed;
    }
}

impl Meanings {
    /// These and one more; `None` where it is one of them.
    fn with(&self, statement: &Statement) -> Option<Self> {
        match self {
            Self::Few(known) if known.iter().any(|known| known.is(statement)) => None,
            Self::Few(known) if known.len() < MEANINGS_MAX => {
                Some(Self::Few(known.iter().chain([statement]).cloned().collect()))
            }
            Self::Few(_) => Some(Self::Many),
            Self::Many => None,
        }
    }
}

impl Weighs for Earlier {
    fn weight_bytes(&self) -> usize {
        match &self.meanings {
            Meanings::Few(statements) => statements.iter().map(Weighs::weight_bytes).sum(),
            Meanings::Many => 0,
        }
    }
}

/// Each is judged where the name is used. With more of them, which takes as many failures in a row, nobody knows what it stands for.
const MEANINGS_MAX: usize = 32;
