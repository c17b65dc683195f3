//! SHOW CONFIG: every setting as resolved, in PgBouncer's columns.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, text};
use crate::console::sources::Sources;

pub(super) const DEF: Def = Def {
    name: "SHOW CONFIG",
    syntax: "SHOW CONFIG",
    summary: "settings as they apply, without secrets, with their defaults and whether RELOAD changes them",
    role: Role::Read,
    columns: &[text("key"), text("value"), text("default"), text("changeable")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let ours = (asked.sources.config)().into_iter().map(|setting| {
        let changeable = if setting.changeable { "yes" } else { "no" };
        vec![setting.key.into(), setting.value.into(), setting.default.into(), changeable.into()]
    });
    Ok(Answer::rows(ours.chain(theirs(asked.sources))))
}

/// The two settings that exporters look for by PgBouncer's names: what all listeners take together, and that users have no such bound.
fn theirs(sources: &Sources) -> [Row; 2] {
    let clients = (sources.listeners)().iter().map(|listener| listener.max_clients).fold(0, u64::saturating_add);
    let row = |key: &str, value: u64| vec![key.into(), value.to_string().into(), Value::Null, "yes".into()];
    [row("max_client_conn", clients), row("max_user_connections", 0)]
}
