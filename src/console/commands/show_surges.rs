//! SHOW SURGES: how fast the connections of each client grow.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, count, text};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW SURGES",
    syntax: "SHOW SURGES",
    summary: "connections of each client, how fast they grow, when the cap is reached",
    role: Role::Read,
    columns: &[
        text("client"),
        count("connections"),
        text("fast_average"),
        text("slow_average"),
        text("slope_per_second"),
        count("seconds_to_full"),
        text("state"),
        text("listener"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let rows = (asked.sources.surges)().into_iter().map(|surge| {
        vec![
            display_bytes(surge.client.as_bytes()).into(),
            surge.connections.into(),
            format!("{:.1}", surge.fast_average).into(),
            format!("{:.1}", surge.slow_average).into(),
            format!("{:.2}", surge.slope_per_second).into(),
            surge.seconds_to_full.map(whole).into(),
            surge.state.into(),
            surge.listener.into(),
        ]
    });
    Ok(Answer::rows(rows))
}

/// Never less than there is: who plans by it must not be late.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is rounded is time left"
)]
fn whole(seconds: f64) -> u64 {
    seconds.floor() as u64
}
