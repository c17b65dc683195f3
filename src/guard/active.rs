//! A rule that was built from its settings.

use toml::{Table, Value};

use super::breach::Mode;
use super::intake::Entry;
use super::rule::{Rule, RuleDef};
use super::settings::{Section, SettingError};
use super::verdict::Trace;

/// One rule of a guard.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) def: &'static RuleDef,
    pub(super) mode: Mode,
    pub(super) rule: Box<dyn Rule>,
}

impl Active {
    /// Reads the rule's section of a `[rules]` table; `all` is the mode for all rules, where one is given.
    pub(super) fn build(
        def: &'static RuleDef,
        table: &Table,
        all: Option<Mode>,
        errors: &mut Vec<SettingError>,
    ) -> Self {
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

    /// How it reads a statement; `None` where it is not about such statements.
    pub(super) fn trace(&self, entry: &Entry<'_>) -> Option<Trace> {
        Some(Trace { rule: self.def.name, mode: self.mode, saw: self.rule.trace(entry)? })
    }
}
