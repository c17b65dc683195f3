//! What rules say.

use super::breach::{Breach, Mode};
use super::measure::Measure;
use super::rule::RuleDef;
use crate::sql::Piece;
use crate::sql::lexer::Marks;

/// What happens to a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the server.
    #[default]
    Allow,
    /// It does not.
    Refuse(Breach),
}

/// What the rules say of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What happens to it.
    pub verdict: Verdict,
    /// What rules in `warn` would have refused, in the order of the statements.
    pub warned: Vec<Breach>,
    /// Places in `warned` of what no mode would refuse: something is not known, and that is told.
    pub doubts: Vec<usize>,
    /// What a break-glass pass lifted: it neither refuses nor warns.
    pub lifted: Vec<Breach>,
    /// Rules that panicked over this text, and are out of order from now on: to be told loudly. Each is told once.
    pub failed: Vec<&'static RuleDef>,
}

/// What the rules measure of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// In the order of the statements; in the unit of each measure.
    pub values: Vec<(Measure, u64)>,
    /// As in [`Judgement::failed`].
    pub failed: Vec<&'static RuleDef>,
}

impl Judgement {
    /// True where it goes to the server.
    pub fn allows(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    /// True where there is nothing to say.
    pub fn is_clean(&self) -> bool {
        self.allows() && self.warned.is_empty()
    }

    /// A breach of a rule that warns.
    pub(super) fn warn(&mut self, piece: &Piece, breach: Breach) {
        if tells_more(&self.warned, piece, &breach) {
            self.warned.push(breach);
        }
    }

    /// A breach that is told and refuses nothing, in any mode.
    pub(super) fn doubt(&mut self, piece: &Piece, breach: Breach) {
        if tells_more(&self.warned, piece, &breach) {
            self.doubts.push(self.warned.len());
            self.warned.push(breach);
        }
    }

    /// A breach that a pass lifts.
    pub(super) fn lift(&mut self, piece: &Piece, breach: Breach) {
        if tells_more(&self.lifted, piece, &breach) {
            self.lifted.push(breach);
        }
    }

    /// The first breach decides.
    pub(super) fn refuse(&mut self, breach: Breach) {
        if self.allows() {
            self.verdict = Verdict::Refuse(breach);
        }
    }
}

/// Another way to read the same text tells only what it alone shows.
fn tells_more(told: &[Breach], piece: &Piece, breach: &Breach) -> bool {
    let same = |known: &Breach| (known.rule, &known.message) == (breach.rule, &breach.message);
    !(piece.marks.has(Marks::ASIDE) && told.iter().any(same))
}

/// How one rule reads one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Name of the rule.
    pub rule: &'static str,
    /// Its mode.
    pub mode: Mode,
    /// What it saw.
    pub saw: String,
}
