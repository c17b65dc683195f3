//! What rules say.

use crate::sql::Piece;
use crate::sql::lexer::Marks;

/// What a rule does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Refuse.
    Enforce,
    /// Let pass, and report what would have been refused.
    Warn,
    /// Not judged.
    Off,
}

impl Mode {
    /// The word of the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// What a rule found. Its texts hold names and numbers, never a literal of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Name of the rule.
    pub rule: &'static str,
    /// Which statement of the text, from 0.
    pub statement: usize,
    /// What was measured, as people write it: `"unbounded"`, `"80000"`.
    pub measured: String,
    /// What is allowed, in the same unit; 0 where nothing is.
    pub limit: u64,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// What happens to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the server.
    Allow,
    /// It does not.
    Refuse(Breach),
}

/// What the rules say of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What happens to it.
    pub verdict: Verdict,
    /// What rules in `warn` would have refused, in the order of the statements.
    pub warned: Vec<Breach>,
}

impl Judgement {
    /// True where it goes to the server.
    pub fn allows(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    /// Another way to read the same text warns of what it alone shows.
    pub(super) fn warn(&mut self, piece: &Piece, breach: Breach) {
        let known = |warned: &Breach| (warned.rule, &warned.message) == (breach.rule, &breach.message);
        if !(piece.marks.has(Marks::ASIDE) && self.warned.iter().any(known)) {
            self.warned.push(breach);
        }
    }

    /// The first breach decides.
    pub(super) fn refuse(&mut self, breach: Breach) {
        if matches!(self.verdict, Verdict::Allow) {
            self.verdict = Verdict::Refuse(breach);
        }
    }
}
