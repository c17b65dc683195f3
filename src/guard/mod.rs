//! Facts to verdicts: what may go to the server. Pure, and it cannot fail.
//!
//! A rule is a file in [`rules`] and looks at one statement at a time (`intake`); [`Guard`] applies the modes and gives the `verdict`.
//! [`plan`] and [`limits`] say what is measured while it runs; [`caps`] are counts and nothing else.

mod active;
mod bound;
mod breach;
pub mod caps;
mod failure;
mod intake;
pub mod limits;
mod measure;
pub mod names;
pub mod pass;
pub mod plan;
mod rule;
pub mod rules;
mod settings;
mod unreadable;
mod verdict;

use toml::Table;

pub use breach::{Breach, Mode};
pub use failure::State;
pub use intake::{Fetch, Intake, Whole};
pub use limits::Limits;
pub use measure::Measure;
pub use plan::Plan;
pub use rule::{OnPanic, RuleDef};
pub use settings::SettingError;
pub use unreadable::{OnUnreadable, UNREADABLE};
pub use verdict::{Judgement, Measured, Trace, Verdict};

use active::Active;
use failure::{Failures, Running};
use rule::Finding;
use settings::Section;

/// Whether PostgreSQL clients hear of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Warnings go to log and metrics only.
    Silent,
    /// The client gets a NOTICE as well.
    Send,
}

/// The rules with their settings: built whole from a `[rules]` table, never changed. A rule that panics is out of order from
/// then on, in every guard made from this one, and each says so once: see [`Judgement::failed`].
#[derive(Debug)]
pub struct Guard {
    table: Table,
    rules: Vec<Active>,
    failures: Failures,
    limits: Limits,
    notice: Notice,
    on_unreadable: OnUnreadable,
}

impl Guard {
    /// Reads a `[rules]` table; an empty one gives the defaults. Tells every error at once.
    pub fn build(table: &Table) -> Result<Self, Vec<SettingError>> {
        Self::build_of(rules::ALL, table)
    }

    /// The same with a registry of rules.
    fn build_of(registry: &'static [RuleDef], table: &Table) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let mut top = Section::new(&[], table, &mut errors);
        let all = top.mode();
        let notice = if top.boolean("notice") { Notice::Send } else { Notice::Silent };
        let choices = [("allow", OnUnreadable::Allow), ("refuse", OnUnreadable::Refuse)];
        let on_unreadable = top.choice("on_unreadable", &choices, OnUnreadable::Allow);
        top.also_known(registry.iter().map(|def| def.name));
        top.finish();
        let rules: Vec<Active> = registry.iter().map(|def| Active::build(def, table, all, &mut errors)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut limits = Limits::default();
        for active in rules.iter().filter(|active| active.mode != Mode::Off) {
            active.rule.limit(active.mode, &mut limits);
        }
        let failures = Failures::none(rules.len());
        Ok(Self { table: table.clone(), rules, failures, limits, notice, on_unreadable })
    }

    /// The same rules with some settings changed, as `[[client]].rules` does. A `mode` for all rules replaces the mode
    /// of each, except where the overrides name one as well.
    ///
    /// # Errors
    /// All that is wrong with the overrides.
    pub fn with_overrides(&self, overrides: &Table) -> Result<Self, Vec<SettingError>> {
        // Read alone first, so that errors are about what was written there.
        Self::build(overrides)?;
        let failures = self.failures.clone();
        Ok(Self { failures, ..Self::build(&settings::merged(&self.table, overrides))? })
    }

    /// The largest text that any rule must see whole. Of a longer one the first so many bytes are enough.
    pub fn hold_bytes(&self) -> usize {
        self.active().map(|(_, active)| active.rule.hold_bytes()).max().unwrap_or(0)
    }

    /// What is measured while a statement runs.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// See [`Plan`].
    pub fn plan(&self, intake: &Intake<'_>) -> Plan {
        plan::of(intake, &self.limits)
    }

    /// Whether warnings go to the client as well.
    pub fn notice(&self) -> Notice {
        self.notice
    }

    /// What becomes of a statement that nobody could read.
    pub fn on_unreadable(&self) -> OnUnreadable {
        self.on_unreadable
    }

    /// Every rule with what it does now.
    pub fn states(&self) -> impl Iterator<Item = (&'static RuleDef, State)> + '_ {
        self.rules.iter().enumerate().map(|(place, active)| {
            let failed = active.mode != Mode::Off && self.failures.has(place);
            (active.def, if failed { State::Failed } else { State::Runs(active.mode) })
        })
    }

    /// Every rule with its mode.
    pub fn modes(&self) -> impl Iterator<Item = (&'static RuleDef, Mode)> + '_ {
        self.rules.iter().map(|active| (active.def, active.mode))
    }

    /// The settings of a rule on one line, with defaults filled in.
    pub fn settings(&self, rule: &RuleDef) -> String {
        settings::line(self.table.get(rule.name), rule.settings)
    }

    /// Where a rule finds too much of what it measures, in the unit of the measure.
    pub fn limit_of(&self, measure: Measure) -> Option<u64> {
        let (def, _) = self.modes().find(|(def, _)| def.name == measure.rule())?;
        settings::limit(self.table.get(def.name), def.settings, measure)
    }

    /// Judges a text: all its statements, before any of them goes on. Allocates only where there is something to say.
    pub fn judge(&self, intake: &Intake<'_>) -> Judgement {
        self.judge_lifting(intake, &[])
    }

    /// The same where a break-glass pass lifts some rules, by their names. All others hold as ever.
    pub fn judge_lifting(&self, intake: &Intake<'_>, lifted: &[&'static str]) -> Judgement {
        let (judgement, failed) = self.failures.watch(|running| self.judged(intake, running, lifted));
        Judgement { failed: self.defs(&failed), ..judgement }
    }

    /// What each rule measures of each statement of a text, also where a rule would refuse it.
    pub fn measure(&self, intake: &Intake<'_>) -> Measured {
        let (values, failed) = self.failures.watch(|running| {
            let mut values = Vec::new();
            for entry in intake.entries() {
                for (place, active) in self.running() {
                    let mut tell = |measure, value| values.push((measure, value));
                    running.run(place, || active.rule.measure(&entry, &mut tell));
                }
            }
            values
        });
        Measured { values, failed: self.defs(&failed) }
    }

    fn judged(&self, intake: &Intake<'_>, running: &Running, lifted: &[&'static str]) -> Judgement {
        let mut judgement = Judgement::default();
        for entry in intake.entries() {
            for (place, active) in self.active() {
                let finding = if self.failures.has(place) {
                    failure::breach(active.def, &entry).map(Finding::Breach)
                } else {
                    running.run(place, || active.rule.check(&entry))
                };
                match (finding, active.mode) {
                    (None, _) | (_, Mode::Off) => {}
                    (Some(Finding::Breach(breach) | Finding::Doubt(breach)), _) if lifted.contains(&breach.rule) => {
                        judgement.lift(entry.piece, breach);
                    }
                    (Some(Finding::Breach(breach)), Mode::Enforce) => judgement.refuse(breach),
                    (Some(Finding::Breach(breach)), Mode::Warn) => judgement.warn(entry.piece, breach),
                    (Some(Finding::Doubt(breach)), _) => judgement.doubt(entry.piece, breach),
                }
            }
            if self.on_unreadable == OnUnreadable::Refuse
                && let Some(breach) = unreadable::breach(&entry)
            {
                judgement.refuse(breach);
            }
        }
        judgement
    }

    /// How each rule that is not off, and is about such statements, reads one statement of a text.
    pub fn trace(&self, intake: &Intake<'_>, statement: usize) -> Vec<Trace> {
        let Some(entry) = intake.entries().nth(statement) else { return Vec::new() };
        self.active().filter_map(|(_, active)| active.trace(&entry)).collect()
    }

    /// The rules that are not off, with their places.
    fn active(&self) -> impl Iterator<Item = (usize, &Active)> {
        self.rules.iter().enumerate().filter(|(_, active)| active.mode != Mode::Off)
    }

    /// Those of them that are in order.
    fn running(&self) -> impl Iterator<Item = (usize, &Active)> {
        self.active().filter(|(place, _)| !self.failures.has(*place))
    }

    fn defs(&self, places: &[usize]) -> Vec<&'static RuleDef> {
        places.iter().filter_map(|&place| self.rules.get(place)).map(|active| active.def).collect()
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
pub(crate) mod failure_tests;
