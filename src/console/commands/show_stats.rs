//! SHOW STATS, STATS_TOTALS and STATS_AVERAGES: what was moved for each database, in PgBouncer's columns.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::console::averages::Grown;
use crate::traffic::{Count, Totals};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW STATS",
    syntax: "SHOW STATS",
    summary: "transactions, statements, bytes and times of each database, as PgBouncer tells them",
    role: Role::Read,
    columns: &[
        text("database"),
        count("total_server_assignment_count"),
        count("total_xact_count"),
        count("total_query_count"),
        count("total_received"),
        count("total_sent"),
        count("total_xact_time"),
        count("total_query_time"),
        count("total_wait_time"),
        count("total_client_parse_count"),
        count("total_server_parse_count"),
        count("total_bind_count"),
        count("total_client_login_count"),
        count("avg_server_assignment_count"),
        count("avg_xact_count"),
        count("avg_query_count"),
        count("avg_recv"),
        count("avg_sent"),
        count("avg_xact_time"),
        count("avg_query_time"),
        count("avg_wait_time"),
        count("avg_client_parse_count"),
        count("avg_server_parse_count"),
        count("avg_bind_count"),
        count("avg_client_login_count"),
    ],
    run: |asked| rows(asked, &DEF, |totals, grown| [told(totals), averages(grown)].concat()),
};

pub(super) const TOTALS: Def = Def {
    name: "SHOW STATS_TOTALS",
    syntax: "SHOW STATS_TOTALS",
    summary: "the totals of SHOW STATS",
    role: Role::Read,
    columns: &[
        text("database"),
        count("server_assignment_count"),
        count("xact_count"),
        count("query_count"),
        count("bytes_received"),
        count("bytes_sent"),
        count("xact_time"),
        count("query_time"),
        count("wait_time"),
        count("client_parse_count"),
        count("server_parse_count"),
        count("bind_count"),
        count("client_login_count"),
    ],
    run: |asked| rows(asked, &TOTALS, |totals, _| told(totals)),
};

pub(super) const AVERAGES: Def = Def {
    name: "SHOW STATS_AVERAGES",
    syntax: "SHOW STATS_AVERAGES",
    summary: "the averages of SHOW STATS, over the last full minute",
    role: Role::Read,
    columns: &[
        text("database"),
        count("server_assignment_count"),
        count("xact_count"),
        count("query_count"),
        count("bytes_received"),
        count("bytes_sent"),
        count("xact_time"),
        count("query_time"),
        count("wait_time"),
        count("avg_client_parse_count"),
        count("avg_server_parse_count"),
        count("avg_bind_count"),
        count("avg_client_login_count"),
    ],
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

/// In the order of the columns; `None` is what is not counted.
const ORDER: [Option<Count>; 12] = [
    Some(Count::Assignments),
    Some(Count::Transactions),
    Some(Count::Statements),
    Some(Count::Received),
    Some(Count::Sent),
    Some(Count::TransactionUs),
    Some(Count::StatementUs),
    Some(Count::WaitUs),
    Some(Count::Prepared),
    None,
    Some(Count::Bound),
    Some(Count::Logins),
];

fn told(totals: &Totals) -> Row {
    ORDER.iter().map(|count| count.map(|count| totals.get(count)).into()).collect()
}

/// Times are for each transaction and statement, all else is for each second.
fn averages(grown: &Grown) -> Row {
    let each = |time, of| grown.totals.get(time).checked_div(grown.totals.get(of)).unwrap_or_default();
    let average = |count| match count {
        Count::TransactionUs => each(count, Count::Transactions),
        Count::StatementUs => each(count, Count::Statements),
        _ => grown.each_second(grown.totals.get(count)),
    };
    ORDER.iter().map(|count| count.map(average).into()).collect()
}
