//! What a rule is.

use std::fmt;

use super::breach::{Breach, Mode};
use super::intake::Entry;
use super::limits::Limits;
use super::measure::Measure;
use super::settings::Section;

/// One kind of harm, looked for in one statement at a time. No clock, no counters, no text for the wire.
pub(super) trait Rule: fmt::Debug + Send + Sync {
    /// What is wrong with a statement. The mode is not the rule's business.
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let _ = entry;
        None
    }

    /// Tells what the rule measures of a statement that it is about, breach or not. What is measured while a statement runs is
    /// told by those who count.
    fn measure(&self, entry: &Entry<'_>, tell: &mut dyn FnMut(Measure, u64)) {
        let _ = (entry, tell);
    }

    /// What the rule measures while a statement runs, for those who count: it says so in its own field.
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        let _ = (mode, limits);
    }

    /// The largest text that the rule must see whole.
    fn hold_bytes(&self) -> usize {
        // A statement beyond this is data, and its filter may stand at its end; only rules about size look further.
        1 << 20
    }

    /// How the rule reads a statement, for people; `None` where the rule is not about such statements.
    fn trace(&self, entry: &Entry<'_>) -> Option<String> {
        let _ = entry;
        None
    }
}

/// What a rule found.
#[derive(Debug)]
pub(super) enum Finding {
    /// Refused in `enforce`.
    Breach(Breach),
    /// Only ever warned about: something is not known.
    Doubt(Breach),
}

/// What a rule does once it has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPanic {
    /// It is as if it were off.
    Allow,
    /// It finds fault with every statement but those that begin or end a transaction, in the mode that it runs in.
    Refuse,
}

/// A rule's line in the registry.
#[derive(Debug)]
pub struct RuleDef {
    /// Its name in configuration, metrics and refusals.
    pub name: &'static str,
    /// What it is about, in one line.
    pub summary: &'static str,
    /// Its mode where the configuration gives none.
    pub mode: Mode,
    /// Its settings beside `mode`, each with its default as TOML.
    pub settings: &'static [(&'static str, &'static str)],
    /// What it does once it has panicked; each rule says why.
    pub on_panic: OnPanic,
    pub(super) build: fn(&mut Section<'_>) -> Box<dyn Rule>,
}

/// A rule is its name.
impl PartialEq for RuleDef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
