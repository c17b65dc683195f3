//! SHOW VERSION: what runs here, since when, in which state.

use std::time::Duration;

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Value, count, text};
use crate::control::Pause;
use crate::telemetry::VERSION;
use crate::units::{display_bytes, display_duration};

pub(super) const DEF: Def = Def {
    name: "SHOW VERSION",
    syntax: "SHOW VERSION",
    summary: "version, uptime and state",
    role: Role::Read,
    columns: &[text("version"), count("uptime_seconds"), text("state"), text("paused")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let control = &asked.sources.control;
    let now_ms = clock::uptime_ms();
    let told = |(database, pause): (Option<String>, Pause)| {
        let left = display_duration(Duration::from_secs(pause.until_ms.saturating_sub(now_ms) / 1000));
        let whose = database.map(|database| format!("{}: ", display_bytes(database.as_bytes()))).unwrap_or_default();
        format!("{whose}by {}, {left} left", pause.who)
    };
    let paused: Vec<_> = control.pauses().into_iter().map(told).collect();
    let paused = Some(paused.join("; ")).filter(|paused| !paused.is_empty());
    Ok(Answer::rows([vec![
        format!("Floodwall {VERSION}").into(),
        (now_ms / 1000).into(),
        control.readiness().label().into(),
        Value::from(paused),
    ]]))
}
