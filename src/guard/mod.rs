//! Facts to verdicts: what may go to the server. Pure, and it cannot fail.
//!
//! A rule is a file in [`rules`] and looks at one statement at a time; [`Guard`] applies the modes.

mod bound;
pub mod caps;
mod intake;
pub mod limits;
pub mod plan;
mod rule;
pub mod rules;
mod settings;
mod unreadable;
mod verdict;

use toml::{Table, Value};

pub use intake::{Intake, Whole};
pub use limits::Limits;
pub use plan::Plan;
pub use rule::RuleDef;
pub use settings::SettingError;
pub use unreadable::UNREADABLE;
pub use verdict::{Breach, Judgement, Mode, Verdict};

use rule::{Finding, Rule};
use settings::Section;

/// What becomes of a statement that nobody could read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreadable {
    /// It passes, judged by what is known of it.
    Allow,
    /// It is refused.
    Refuse,
}

/// Whether PostgreSQL clients hear of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Warnings go to log and metrics only.
    Silent,
    /// The client gets a NOTICE as well.
    Send,
}

/// The rules with their settings: built whole from a `[rules]` table, never changed.
#[derive(Debug)]
pub struct Guard {
    table: Table,
    rules: Vec<Active>,
    limits: Limits,
    notice: Notice,
    on_unreadable: OnUnreadable,
}

#[derive(Debug)]
struct Active {
    def: &'static RuleDef,
    mode: Mode,
    rule: Box<dyn Rule>,
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

impl Guard {
    /// Reads a `[rules]` table; an empty one gives the defaults. Tells every error at once.
    pub fn build(table: &Table) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let mut top = Section::new(&[], table, &mut errors);
        let all = top.mode();
        let notice = if top.boolean("notice") { Notice::Send } else { Notice::Silent };
        let choices = [("allow", OnUnreadable::Allow), ("refuse", OnUnreadable::Refuse)];
        let on_unreadable = top.choice("on_unreadable", &choices, OnUnreadable::Allow);
        top.also_known(rules::ALL.iter().map(|def| def.name));
        top.finish();
        let rules: Vec<Active> = rules::ALL.iter().map(|def| Active::build(def, table, all, &mut errors)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut limits = Limits::default();
        for active in rules.iter().filter(|active| active.mode != Mode::Off) {
            active.rule.limit(active.mode, &mut limits);
        }
        Ok(Self { table: table.clone(), rules, limits, notice, on_unreadable })
    }

    /// The same rules with some settings changed, as `[[client]].rules` does. A `mode` for all rules replaces the mode
    /// of each, except where the overrides name one as well.
    pub fn with_overrides(&self, overrides: &Table) -> Result<Self, Vec<SettingError>> {
        // Read alone first, so that errors are about what was written there.
        Self::build(overrides)?;
        let mut merged = self.table.clone();
        if overrides.contains_key("mode") {
            for (_, section) in merged.iter_mut() {
                if let Value::Table(section) = section {
                    section.remove("mode");
                }
            }
        }
        for (key, value) in overrides {
            match (merged.get_mut(key), value) {
                (Some(Value::Table(section)), Value::Table(changes)) => section.extend(changes.clone()),
                _ => {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
        Self::build(&merged)
    }

    /// The largest text that any rule must see whole. Of a longer one the first so many bytes are enough.
    pub fn hold_bytes(&self) -> usize {
        self.active().map(|active| active.rule.hold_bytes()).max().unwrap_or(0)
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

    /// Every rule with its mode.
    pub fn modes(&self) -> impl Iterator<Item = (&'static RuleDef, Mode)> + '_ {
        self.rules.iter().map(|active| (active.def, active.mode))
    }

    /// The settings of a rule on one line, with defaults filled in.
    pub fn settings(&self, rule: &RuleDef) -> String {
        let section = self.table.get(rule.name).and_then(Value::as_table);
        let value = |key: &str, default: &str| {
            section.and_then(|section| section.get(key)).map_or_else(|| default.to_owned(), ToString::to_string)
        };
        let settings = rule.settings.iter().map(|(key, default)| format!("{key} = {}", value(key, default)));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// Judges a text: all its statements, before any of them goes on. Allocates only where there is something to say.
    pub fn judge(&self, intake: &Intake<'_>) -> Judgement {
        let mut judgement = Judgement { verdict: Verdict::Allow, warned: Vec::new() };
        for entry in intake.entries() {
            for active in self.active() {
                match (active.rule.check(&entry), active.mode) {
                    (None, _) | (_, Mode::Off) => {}
                    (Some(Finding::Breach(breach)), Mode::Enforce) => judgement.refuse(breach),
                    (Some(Finding::Breach(breach) | Finding::Doubt(breach)), _) => judgement.warn(entry.piece, breach),
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
        let trace =
            |active: &Active| Some(Trace { rule: active.def.name, mode: active.mode, saw: active.rule.trace(&entry)? });
        self.active().filter_map(trace).collect()
    }

    fn active(&self) -> impl Iterator<Item = &Active> {
        self.rules.iter().filter(|active| active.mode != Mode::Off)
    }
}

impl Active {
    fn build(def: &'static RuleDef, table: &Table, all: Option<Mode>, errors: &mut Vec<SettingError>) -> Self {
        let empty = Table::new();
        let section = match table.get(def.name) {
            None => &empty,
            Some(Value::Table(section)) => section,
            Some(_) => {
                let message = format!("is no table: write [rules.{}]", def.name);
                errors.push(SettingError { path: vec![def.name.to_owned()], message });
                &empty
            }
        };
        let path = [def.name];
        let mut section = Section::new(&path, section, errors);
        let mode = section.mode().or(all).unwrap_or(def.mode);
        let rule = (def.build)(&mut section);
        section.finish();
        Self { def, mode, rule }
    }
}
