//! SHOW STATS, STATS_TOTALS and STATS_AVERAGES: what was moved for each database, in PgBouncer's columns.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, Row, Value, count, text};
use crate::console::averages::Grown;
use crate::traffic::{Count, Totals};
use crate::units::display_bytes;

/// What is counted, and PgBouncer's names of it.
struct Stat {
    count: Count,
    /// In SHOW STATS: the total and the average.
    names: [&'static str; 2],
    /// In STATS_TOTALS and in STATS_AVERAGES.
    alone: [&'static str; 2],
}

const fn stat(count: Count, names: [&'static str; 2], alone: [&'static str; 2]) -> Stat {
    Stat { count, names, alone }
}

/// All of them, in the order of the columns.
const STATS: [Stat; 12] = [
    stat(
        Count::Assignments,
        ["total_server_assignment_count", "avg_server_assignment_count"],
        ["server_assignment_count"; 2],
    ),
    stat(Count::Transactions, ["total_xact_count", "avg_xact_count"], ["xact_count"; 2]),
    stat(Count::Statements, ["total_query_count", "avg_query_count"], ["query_count"; 2]),
    stat(Count::Received, ["total_received", "avg_recv"], ["bytes_received"; 2]),
    stat(Count::Sent, ["total_sent", "avg_sent"], ["bytes_sent"; 2]),
    stat(Count::TransactionUs, ["total_xact_time", "avg_xact_time"], ["xact_time"; 2]),
    stat(Count::StatementUs, ["total_query_time", "avg_query_time"], ["query_time"; 2]),
    stat(Count::WaitUs, ["total_wait_time", "avg_wait_time"], ["wait_time"; 2]),
    stat(
        Count::Prepared,
        ["total_client_parse_count", "avg_client_parse_count"],
        ["client_parse_count", "avg_client_parse_count"],
    ),
    stat(
        Count::ServerPrepared,
        ["total_server_parse_count", "avg_server_parse_count"],
        ["server_parse_count", "avg_server_parse_count"],
    ),
    stat(Count::Bound, ["total_bind_count", "avg_bind_count"], ["bind_count", "avg_bind_count"]),
    stat(
        Count::Logins,
        ["total_client_login_count", "avg_client_login_count"],
        ["client_login_count", "avg_client_login_count"],
    ),
];

/// The database, and a column for each: `half` 0 for totals, 1 for averages.
const fn alone(half: usize) -> [Column; 1 + STATS.len()] {
    let mut columns = [text("database"); 1 + STATS.len()];
    let mut place = 0;
    while place < STATS.len() {
        columns[1 + place] = count(STATS[place].alone[half]);
        place += 1;
    }
    columns
}

/// The database, all totals, all averages.
const fn both() -> [Column; 1 + 2 * STATS.len()] {
    let mut columns = [text("database"); 1 + 2 * STATS.len()];
    let mut place = 0;
    while place < 2 * STATS.len() {
        columns[1 + place] = count(STATS[place % STATS.len()].names[place / STATS.len()]);
        place += 1;
    }
    columns
}

pub(super) const DEF: Def = Def {
    name: "SHOW STATS",
    syntax: "SHOW STATS",
    summary: "transactions, statements, bytes and times of each database, as PgBouncer tells them",
    role: Role::Read,
    columns: &both(),
    run: |asked| rows(asked, &DEF, |totals, grown| [told(totals), averages(grown)].concat()),
};

pub(super) const TOTALS: Def = Def {
    name: "SHOW STATS_TOTALS",
    syntax: "SHOW STATS_TOTALS",
    summary: "the totals of SHOW STATS",
    role: Role::Read,
    columns: &alone(0),
    run: |asked| rows(asked, &TOTALS, |totals, _| told(totals)),
};

pub(super) const AVERAGES: Def = Def {
    name: "SHOW STATS_AVERAGES",
    syntax: "SHOW STATS_AVERAGES",
    summary: "the averages of SHOW STATS, over the last full minute",
    role: Role::Read,
    columns: &alone(1),
    run: |asked| rows(asked, &AVERAGES, |_, grown| averages(grown)),
};

fn rows(asked: &Asked<'_>, def: &Def, numbers: impl Fn(&Totals, &Grown) -> Row) -> Result<Answer, Failure> {
    asked.nothing_more(def)?;
    let row = |(database, totals): (String, Totals)| {
        let grown = asked.sources.averages.of(&database, &totals);
        let mut row = vec![Value::from(display_bytes(database.as_bytes()))];
        row.extend(numbers(&totals, &grown));
        row
    };
    Ok(Answer::rows(asked.sources.roster.traffic().into_iter().map(row)))
}

/// The sums, in the order of the columns.
pub(super) fn told(totals: &Totals) -> Row {
    STATS.iter().map(|stat| totals.get(stat.count).into()).collect()
}

/// What they grow by, in that order. Times are for each transaction and statement, all else is for each second.
pub(super) fn averages(grown: &Grown) -> Row {
    let each = |time, of| grown.totals.get(time).checked_div(grown.totals.get(of)).unwrap_or_default();
    let average = |count| match count {
        Count::TransactionUs => each(count, Count::Transactions),
        Count::StatementUs => each(count, Count::Statements),
        _ => grown.each_second(grown.totals.get(count)),
    };
    STATS.iter().map(|stat| average(stat.count).into()).collect()
}
