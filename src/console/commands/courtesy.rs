//! What clients say by themselves: answered, so that drivers and connection checks work. HELP does not list it.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, count, server_version, text};

pub(super) const ALL: &[Def] = &[
    ask("SELECT 1", &[count("?column?")], |_| Ok(Answer::rows([vec![1u64.into()]]))),
    ask("SELECT VERSION()", &[text("version")], |_| Ok(Answer::rows([vec![version().into()]]))),
    ask("SHOW SERVER_VERSION", &[text("server_version")], |_| Ok(Answer::rows([vec![server_version().into()]]))),
    ask("SHOW TRANSACTION ISOLATION LEVEL", &[text("transaction_isolation")], |_| setting("read committed")),
    // Those that PgBouncer's console answers.
    ask("SHOW CLIENT_ENCODING", &[text("client_encoding")], |_| setting("UTF8")),
    ask("SHOW STANDARD_CONFORMING_STRINGS", &[text("standard_conforming_strings")], |_| setting("on")),
    ask("SHOW DEFAULT_TRANSACTION_ISOLATION", &[text("default_transaction_isolation")], |_| setting("read committed")),
    ask("SHOW DATESTYLE", &[text("DateStyle")], |_| setting("ISO")),
    ask("SHOW TIMEZONE", &[text("TimeZone")], |_| setting("UTC")),
    ignore("BEGIN"),
    ignore("START TRANSACTION"),
    ignore("COMMIT"),
    ignore("END"),
    ignore("ROLLBACK"),
    ignore("RESET"),
    ignore("DISCARD ALL"),
    ignore("DEALLOCATE"),
];

type Run = fn(&Asked<'_>) -> Result<Answer, Failure>;

const fn ask(name: &'static str, columns: &'static [Column], run: Run) -> Def {
    Def {
        name,
        syntax: name,
        summary: "asked by clients to see whether anybody is there",
        role: Role::Read,
        columns,
        run,
    }
}

/// The console knows no transactions and no settings.
const fn ignore(name: &'static str) -> Def {
    Def {
        name,
        syntax: name,
        summary: "sent by drivers; changes nothing",
        role: Role::Read,
        columns: &[],
        run: |_| Ok(Answer::default()),
    }
}

fn setting(value: &'static str) -> Result<Answer, Failure> {
    Ok(Answer::rows([vec![value.into()]]))
}

fn version() -> String {
    format!("PostgreSQL {}", server_version())
}
