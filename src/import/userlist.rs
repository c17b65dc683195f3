//! `userlist.txt`: `"name" "secret"` a line, the secret in the clear, as `md5…` or as `SCRAM-SHA-256$…`.

use std::fmt;
use std::path::Path;

use super::{Failed, Place};

/// One user.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) secret: Secret,
}

/// What a user proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    None,
    Password(String),
    Md5(String),
    Scram(String),
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("secret", &"***").finish()
    }
}

/// The users of a file. Lines that do not begin with a quote are comments, as PgBouncer has it.
pub(super) fn parse(file: &Path, text: &str) -> Result<Vec<User>, Failed> {
    let mut users = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.starts_with('"') {
            continue;
        }
        let user =
            quoted(line).and_then(|(name, rest)| Some(User { name, secret: secret(quoted(rest.trim_start())?.0) }));
        users.push(user.ok_or_else(|| Failed::Malformed {
            place: Place { file: file.to_owned(), line: index + 1 },
            reason: "no \"user\" \"password\"".to_owned(),
        })?);
    }
    Ok(users)
}

/// What stands in double quotes, of which two are one, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut letters = inside.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' if letters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            '"' => return Some((value, inside.get(at + 1..)?)),
            letter => value.push(letter),
        }
    }
    None
}

fn secret(text: String) -> Secret {
    let is_md5 = |text: &str| {
        text.strip_prefix("md5").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if text.is_empty() {
        Secret::None
    } else if text.starts_with("SCRAM-SHA-256$") {
        Secret::Scram(text)
    } else if is_md5(&text) {
        Secret::Md5(text)
    } else {
        Secret::Password(text)
    }
}
