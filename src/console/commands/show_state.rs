//! SHOW STATE: whether clients are served, held back or sent away, and since when. PgBouncer's keys come first.

use std::time::Duration;

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, text};
use crate::control::{Pause, Pauses};
use crate::units::{display_bytes, display_duration};

pub(super) const DEF: Def = Def {
    name: "SHOW STATE",
    syntax: "SHOW STATE",
    summary: "active or paused, by whom and for how long; databases that are disabled; starting, ready or draining; uptime",
    role: Role::Read,
    columns: &[text("key"), text("value")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let control = &asked.sources.control;
    let (now_ms, pauses) = (clock::uptime_ms(), control.pauses());
    let (active, paused) = if pauses.contains_key(&None) { ("no", "yes") } else { ("yes", "no") };
    let rows = [
        ("active", active.to_owned()),
        ("paused", paused.to_owned()),
        ("suspended", "no".to_owned()),
        ("pauses", told(pauses, now_ms)),
        ("disabled", named(control.disabled())),
        ("readiness", control.readiness().label().to_owned()),
        ("uptime_seconds", (now_ms / 1000).to_string()),
    ];
    Ok(Answer::rows(rows.into_iter().map(|(key, value)| vec![key.into(), value.into()])))
}

/// Databases that take no newcomers; empty where all do.
fn named(disabled: impl IntoIterator<Item = String>) -> String {
    disabled.into_iter().map(|database| display_bytes(database.as_bytes())).collect::<Vec<_>>().join(", ")
}

/// Who holds whom back, and how long that lasts; empty where nobody does.
fn told(pauses: Pauses, now_ms: u64) -> String {
    let one = |(database, pause): (Option<String>, Pause)| {
        let left = display_duration(Duration::from_secs(pause.until_ms.saturating_sub(now_ms) / 1000));
        let whose = database.map(|database| format!("{}: ", display_bytes(database.as_bytes()))).unwrap_or_default();
        format!("{whose}by {}, {left} left", pause.who)
    };
    pauses.into_iter().map(one).collect::<Vec<_>>().join("; ")
}
