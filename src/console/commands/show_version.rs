//! SHOW VERSION: what runs here, since when, in which state.

use std::time::Duration;

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Value, count, text};
use crate::telemetry::VERSION;
use crate::units::display_duration;

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
    let paused = control.pause_now().map(|pause| {
        let left = Duration::from_secs(pause.until_ms.saturating_sub(now_ms) / 1000);
        format!("by {}, {} left", pause.who, display_duration(left))
    });
    Ok(Answer::rows([vec![
        format!("Floodwall {VERSION}").into(),
        (now_ms / 1000).into(),
        control.readiness().label().into(),
        Value::from(paused),
    ]]))
}
