//! SHOW RULES: rules as they run, with what they met.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, count, text};

pub(super) const DEF: Def = Def {
    name: "SHOW RULES",
    syntax: "SHOW RULES",
    summary: "rules, their modes (state: what holds now, failed after a fault), settings, what they refused, warned of and let pass",
    role: Role::Read,
    columns: &[
        text("rule"),
        text("mode"),
        text("state"),
        text("settings"),
        count("enforced_total"),
        count("warned_total"),
        count("lifted_total"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let rows = (asked.sources.rules)().into_iter().map(|rule| {
        vec![
            rule.rule.into(),
            rule.mode.into(),
            rule.state.into(),
            rule.settings.into(),
            rule.enforced_total.into(),
            rule.warned_total.into(),
            rule.lifted_total.into(),
        ]
    });
    Ok(Answer::rows(rows))
}
