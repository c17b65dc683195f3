//! SHOW POOLS: clients and servers of each database and user, in PgBouncer's columns.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::console::pools::{Pools, Use};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW POOLS",
    syntax: "SHOW POOLS",
    summary: "clients and servers of each database and user, as PgBouncer tells them",
    role: Role::Read,
    columns: &[
        text("database"),
        text("user"),
        count("cl_active"),
        count("cl_waiting"),
        count("cl_active_cancel_req"),
        count("cl_waiting_cancel_req"),
        count("sv_active"),
        count("sv_active_cancel"),
        count("sv_being_canceled"),
        count("sv_idle"),
        count("sv_used"),
        count("sv_tested"),
        count("sv_login"),
        count("maxwait"),
        count("maxwait_us"),
        text("pool_mode"),
        text("load_balance_hosts"),
        text("listeners"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    Ok(Answer::rows(Pools::of(asked.sources).all().map(row)))
}

fn row(pool: &Use) -> Row {
    let listeners: Vec<&str> = pool.listeners.iter().map(String::as_str).collect();
    vec![
        display_bytes(pool.database.as_bytes()).into(),
        display_bytes(pool.user.as_bytes()).into(),
        pool.cl_active.into(),
        pool.cl_waiting.into(),
        pool.cancels_sent.into(),
        pool.cancels_waiting.into(),
        pool.sv_active.into(),
        pool.cancels_sent.into(),
        pool.sv_being_canceled.into(),
        pool.sv_idle.into(),
        // Servers are looked at when they are taken, so that none has been idle for too long.
        Value::Count(0),
        pool.sv_tested.into(),
        pool.sv_login.into(),
        pool.max_wait.as_secs().into(),
        u64::from(pool.max_wait.subsec_micros()).into(),
        pool.mode().into(),
        Value::Null,
        listeners.join(", ").into(),
    ]
}
