//! SHOW TOTALS: what SHOW STATS tells, of all databases together, by PgBouncer's names.

use super::show_stats::{averages, told};
use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, count, text};
use crate::console::averages::Grown;
use crate::traffic::Totals;

pub(super) const DEF: Def = Def {
    name: "SHOW TOTALS",
    syntax: "SHOW TOTALS",
    summary: "SHOW STATS of all databases together",
    role: Role::Read,
    columns: &[text("name"), count("value")],
    run,
};

/// In the order of the columns of SHOW STATS.
const NAMES: [&str; 12] = [
    "server_assignment_count",
    "xact_count",
    "query_count",
    "client_bytes",
    "server_bytes",
    "xact_time",
    "query_time",
    "wait_time",
    "ps_client_parse_count",
    "ps_server_parse_count",
    "ps_bind_count",
    "client_login_count",
];

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let (mut totals, mut grown) = (Totals::default(), Grown::default());
    for (database, of_database) in asked.sources.roster.traffic() {
        grown.add(&asked.sources.averages.of(&database, &of_database));
        totals.add(&of_database);
    }
    let rows = [("total", told(&totals)), ("avg", averages(&grown))];
    let named = rows.into_iter().flat_map(|(kind, values)| {
        NAMES.iter().zip(values).map(move |(name, value)| vec![format!("{kind}_{name}").into(), value])
    });
    Ok(Answer::rows(named))
}
