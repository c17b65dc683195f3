//! SET: drivers send it for settings of PostgreSQL, which changes nothing here. For a setting of ours, or of PgBouncer's, it is an error:
//! nobody should believe that it was set.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::import;

/// HELP does not list it.
pub(super) const DEF: Def = Def {
    name: "SET",
    syntax: "SET",
    summary: "sent by drivers; changes nothing",
    role: Role::Read,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let key = asked.args.first().map(|word| word.split('=').next().unwrap_or(word).to_ascii_lowercase());
    let key = key.unwrap_or_default();
    let advice = match import::advice(&key) {
        Some(advice) => advice,
        None if is_ours(asked, &key) => "write it there",
        None => return Ok(Answer::default()),
    };
    let failure =
        Failure::new("0A000", format!("{key} is not set here: settings stand in config.toml, and RELOAD reads it"));
    Err(failure.hint(format!("{key}: {advice}")))
}

/// A key of a listener or a cap. Those of other sections have names that PostgreSQL has as well, such as `role`.
fn is_ours(asked: &Asked<'_>, key: &str) -> bool {
    let rows = (asked.sources.config)();
    rows.iter().any(|row| {
        let in_it = row.key.starts_with("listener.") || row.key.starts_with("caps.");
        in_it && row.key.rsplit('.').next() == Some(key)
    })
}
