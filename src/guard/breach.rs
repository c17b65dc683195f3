//! What a rule finds, and how seriously that is taken.

use crate::units::Unit;

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
    /// What was measured, as people write it: `"unbounded"`, `"80000"`; a number is one of `unit`.
    pub measured: String,
    /// What is allowed, in `unit`; 0 where nothing is.
    pub limit: u64,
    /// What both are counted in.
    pub unit: Unit,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Breach {
    /// What was measured as a number, where it is one.
    pub fn value(&self) -> Option<u64> {
        self.measured.parse().ok()
    }

    /// What was measured, for people: a number with its unit, where it has one.
    pub fn measured_text(&self) -> String {
        self.value().map_or_else(|| self.measured.clone(), |value| self.unit.exact(value))
    }

    /// What is allowed, in the same form.
    pub fn limit_text(&self) -> String {
        self.unit.exact(self.limit)
    }
}
