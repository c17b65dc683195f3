//! Statements that need a database without anybody else in it: the server waits five seconds at the most for its sessions to leave.
//!
//! Sources: PostgreSQL manual, "DROP DATABASE", "ALTER DATABASE", "CREATE DATABASE"; `CountOtherDBBackends` (`procarray.c`).

use super::tokens::{Words, name};

/// The database that a statement needs to itself.
pub(super) fn vacated(words: &Words<'_>, at: usize) -> Option<Box<str>> {
    if words.word(at + 1) != "database" {
        return None;
    }
    let at = match words.word(at) {
        "drop" if words.word(at + 2) == "if" => at + 4,
        "drop" => at + 2,
        "alter" if moves(words, at + 3) => at + 2,
        "create" => template(words, at + 3)?,
        _ => return None,
    };
    name(words.word(at)).map(Into::into)
}

fn moves(words: &Words<'_>, at: usize) -> bool {
    words.word(at) == "rename" || (words.word(at) == "set" && words.word(at + 1) == "tablespace")
}

/// Where the database is named of which a new one is a copy.
fn template(words: &Words<'_>, from: usize) -> Option<usize> {
    let at = (from..words.len()).find(|&at| words.word(at) == "template")? + 1;
    Some(if words.word(at) == "=" { at + 1 } else { at })
}
