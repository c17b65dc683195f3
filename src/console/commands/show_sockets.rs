//! SHOW SOCKETS and SHOW ACTIVE_SOCKETS: all connections in one table, of clients and to servers, in PgBouncer's columns.

use super::{Asked, Def, show_clients, show_servers};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, Row, Value, text};
use crate::console::socket;

const OURS: [Column; 1] = [text("listener")];
const COLUMNS: [Column; socket::with(OURS.len())] = socket::columns(OURS);

pub(super) const DEF: Def = Def {
    name: "SHOW SOCKETS",
    syntax: "SHOW SOCKETS",
    summary: "connections of clients and to servers in one table",
    role: Role::Read,
    columns: &COLUMNS,
    run: |asked| list(asked, &DEF, |_| true),
};

pub(super) const ACTIVE: Def = Def {
    name: "SHOW ACTIVE_SOCKETS",
    syntax: "SHOW ACTIVE_SOCKETS",
    summary: "those of them that are active",
    role: Role::Read,
    columns: &COLUMNS,
    run: |asked| list(asked, &ACTIVE, is_active),
};

fn list(asked: &Asked<'_>, def: &Def, keeps: fn(&Row) -> bool) -> Result<Answer, Failure> {
    asked.nothing_more(def)?;
    let rows = show_clients::rows(asked).into_iter().chain(show_servers::rows(asked));
    Ok(Answer::rows(rows.filter(keeps).map(shared)))
}

/// What both tables have: PgBouncer's columns come first in them, and the listener last.
fn shared(mut row: Row) -> Row {
    let listener = row.pop();
    row.truncate(socket::with(0));
    row.extend(listener);
    row
}

fn is_active(row: &Row) -> bool {
    let state = COLUMNS.iter().position(|column| column.name == "state");
    state.and_then(|place| row.get(place)) == Some(&Value::from("active"))
}
