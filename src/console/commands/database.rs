//! The database that a command names: as it is, or in double quotes where the word means something else as well.

use super::{Asked, Def};
use crate::console::answer::Failure;
use crate::console::sources::Sources;
use crate::roster::Entry;
use crate::telemetry::rows::PoolRow;

/// Without its quotes.
pub(super) fn name(word: &str) -> &str {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
}

/// The only argument, which may be left out.
pub(super) fn optional<'a>(asked: &Asked<'a>, def: &Def) -> Result<Option<&'a str>, Failure> {
    match asked.args[..] {
        [] => Ok(None),
        [word] => Ok(Some(name(word))),
        _ => Err(def.misused()),
    }
}

/// The only argument.
pub(super) fn required<'a>(asked: &Asked<'a>, def: &Def) -> Result<&'a str, Failure> {
    optional(asked, def)?.ok_or_else(|| def.misused())
}

/// For sentences.
pub(super) fn display(database: Option<&str>) -> String {
    database.map_or_else(|| "all databases".to_owned(), |database| format!("database {database}"))
}

/// The command that ends its pause.
pub(super) fn resume(database: Option<&str>) -> String {
    database.map_or_else(|| "RESUME".to_owned(), |database| format!("RESUME {database}"))
}

/// The pools of a database, or all.
pub(super) fn pools(sources: &Sources, database: Option<&str>) -> Vec<PoolRow> {
    let mut pools = (sources.pools)();
    pools.retain(|pool| database.is_none_or(|database| pool.database == database));
    pools
}

/// The sessions of a database, or all.
pub(super) fn sessions(sources: &Sources, database: Option<&str>) -> Vec<std::sync::Arc<Entry>> {
    let mut sessions = sources.roster.list();
    sessions.retain(|entry| database.is_none_or(|database| entry.identity.database == database));
    sessions
}

/// What a sentence adds where nobody uses the database: its name may be wrong.
pub(super) fn doubt(sources: &Sources, database: Option<&str>) -> &'static str {
    let unused = database.is_some() && pools(sources, database).is_empty() && sessions(sources, database).is_empty();
    if unused { "; nobody uses it now: SHOW DATABASES lists those in use" } else { "" }
}
