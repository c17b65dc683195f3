//! SHOW POOLS: servers that clients share, and who waits for them.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, count, text};
use crate::telemetry::rows::PoolRow;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW POOLS",
    syntax: "SHOW POOLS",
    summary: "pools of servers that clients share, and who waits for one",
    role: Role::Read,
    columns: &[
        text("database"),
        text("user"),
        count("cl_active"),
        count("cl_waiting"),
        count("sv_active"),
        count("sv_idle"),
        count("sv_login"),
        count("maxwait"),
        count("maxwait_us"),
        text("pool_mode"),
        text("listener"),
    ],
    run,
};

const MICROS: u64 = 1_000_000;

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    Ok(Answer::rows((asked.sources.pools)().into_iter().map(row)))
}

/// The wait in whole seconds, and what is left of it in microseconds, as in PgBouncer.
fn row(pool: PoolRow) -> Row {
    vec![
        display_bytes(pool.database.as_bytes()).into(),
        display_bytes(pool.user.as_bytes()).into(),
        pool.cl_active.into(),
        pool.cl_waiting.into(),
        pool.sv_active.into(),
        pool.sv_idle.into(),
        pool.sv_login.into(),
        (pool.maxwait_us / MICROS).into(),
        (pool.maxwait_us % MICROS).into(),
        "transaction".into(),
        pool.listener.into(),
    ]
}
