//! The file of users: who may log in where `login = "users"`, and with what.
//!
//! A file of its own, since it holds secrets: `config.toml` may be read by many. What is wrong with it is told at the key that names it,
//! with the line in the file.

use std::path::Path;

use chrono::DateTime;
use toml::Value;

use super::context::{Context, warn_of_readers};
use super::document::{Document, Section};
use super::problem::Fault;
use super::surroundings::SecretSource;
use super::{Secret, value};

/// `[[user]]` of a file of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name of the role.
    pub name: String,
    /// What proves that somebody is this user.
    pub secret: UserSecret,
    /// From then on nobody is let in: seconds since 1970.
    pub valid_until: Option<i64>,
}

/// What proves that somebody is a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSecret {
    /// The password.
    Password(Secret),
    /// `SCRAM-SHA-256$…`, as PostgreSQL stores it.
    Verifier(Secret),
    /// `md5…`, as PostgreSQL stores it.
    Md5(Secret),
}

/// The most users of one file.
const USERS_MAX: usize = 100_000;

/// Reads the file that `users_file` of a listener names. Problems are told there; what is wrong is left out.
pub(super) fn read(file: &Path, section: &Section<'_>, context: &Context<'_>) -> Vec<User> {
    let shown = file.display();
    warn_of_readers(file, "users_file", section);
    let text = match context.surroundings.secret(&SecretSource::File(file.to_owned())) {
        Ok(text) => text,
        Err(why) => {
            section.error("users_file", Fault::new(why));
            return Vec::new();
        }
    };
    let document = match Document::parse(text.reveal()) {
        Ok(document) => document,
        Err(problems) => {
            for problem in problems {
                let line = problem.line.unwrap_or_default();
                section.error("users_file", Fault::new(format!("{shown}:{line}: {problem}")));
            }
            return Vec::new();
        }
    };
    let users = users(&document, context);
    let (errors, warnings) = document.into_problems();
    for problem in errors {
        let line = problem.line.unwrap_or_default();
        section.error("users_file", Fault::new(format!("{shown}:{line}: {problem}")));
    }
    for problem in warnings {
        let line = problem.line.unwrap_or_default();
        section.warn("users_file", Fault::new(format!("{shown}:{line}: {problem}")));
    }
    users
}

fn users(document: &Document<'_>, context: &Context<'_>) -> Vec<User> {
    let mut root = document.root();
    let entries = root.sections("user");
    root.finish();
    if entries.len() > USERS_MAX {
        document.error(&["user".to_owned()], Fault::new(format!("more than {USERS_MAX} users")));
    }
    let mut seen = std::collections::HashSet::new();
    let mut users = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().take(USERS_MAX).enumerate() {
        let Some(user) = user(entry, context) else { continue };
        if !seen.insert(user.name.clone()) {
            let path = ["user", &index.to_string(), "name"].map(str::to_owned);
            document.error(&path, Fault::new(format!("\"{}\" is the name of an earlier user", user.name)));
        }
        users.push(user);
    }
    users
}

fn user(mut section: Section<'_>, context: &Context<'_>) -> Option<User> {
    let name = section.read("name", name);
    if !section.has("name") {
        section.error("", Fault::new("a user needs a name"));
    }
    let secret = secret(&mut section, context);
    let valid_until = section.read("valid_until", moment);
    section.finish();
    Some(User { name: name?, secret: secret?, valid_until })
}

pub(super) fn name(value: &Value) -> Result<String, Fault> {
    let name = value::text(value)?;
    if !value::is_server_name(&name) {
        let advice = format!("names have at most {} bytes", value::NAME_BYTES_MAX);
        return Err(Fault::new("is no name of a role").advise(advice));
    }
    Ok(name)
}

/// Exactly one of the keys that say it.
fn secret(section: &mut Section<'_>, context: &Context<'_>) -> Option<UserSecret> {
    let password = section.read("password", password).map(UserSecret::Password);
    let verifier = section.read("verifier", verifier).map(UserSecret::Verifier);
    let md5 = section.read("md5", md5).map(UserSecret::Md5);
    let variable = section.read("password_env", value::text).map(SecretSource::Env);
    let file = section.read("password_file", value::path);
    let file = file.map(|path| SecretSource::File(context.folder.join(path)));
    let keys = ["password", "password_env", "password_file", "verifier", "md5"];
    let given: Vec<&str> = keys.into_iter().filter(|key| section.has(key)).collect();
    match given.as_slice() {
        [_] => {}
        [] => section.error(
            "",
            Fault::new("a user needs a secret").advise("give verifier, password, password_env, password_file or md5"),
        ),
        [first, second, ..] => {
            section.error(second, Fault::new(format!("{first} is given as well")).advise("keep one of them"))
        }
    }
    let outside = variable.or(file).and_then(|source| {
        let read = context.surroundings.secret(&source).map(UserSecret::Password);
        let key = if matches!(source, SecretSource::Env(_)) { "password_env" } else { "password_file" };
        read.map_err(|why| section.error(key, Fault::new(why))).ok()
    });
    password.or(verifier).or(md5).or(outside)
}

fn password(value: &Value) -> Result<Secret, Fault> {
    let text = value::text(value)?;
    if text.contains('\0') {
        return Err(Fault::new("must not hold a NUL"));
    }
    // A hash written as a password would be one that everybody who reads the file can use.
    if is_verifier(&text) || is_md5(&text) {
        return Err(Fault::new("is no password but a hash").advise("write it as verifier or md5"));
    }
    Ok(Secret::new(text))
}

fn verifier(value: &Value) -> Result<Secret, Fault> {
    let text = value::text(value)?;
    if !is_verifier(&text) {
        return Err(Fault::new("is no SCRAM verifier")
            .advise("copy rolpassword from pg_authid: SCRAM-SHA-256$4096:salt$StoredKey:ServerKey"));
    }
    Ok(Secret::new(text))
}

fn md5(value: &Value) -> Result<Secret, Fault> {
    let text = value::text(value)?;
    if !is_md5(&text) {
        return Err(Fault::new("is no md5 hash").advise("copy rolpassword from pg_authid: md5 and 32 digits"));
    }
    Ok(Secret::new(text))
}

/// The shape of a verifier; the lengths of its keys are those of SHA-256 in base64.
fn is_verifier(text: &str) -> bool {
    let parts = text.strip_prefix("SCRAM-SHA-256$").and_then(|rest| rest.split_once('$'));
    let Some(((rounds, salt), (stored, server))) =
        parts.and_then(|(rounds, keys)| rounds.split_once(':').zip(keys.split_once(':')))
    else {
        return false;
    };
    let is_base64 = |text: &str| {
        let digits = text.trim_end_matches('=');
        let known = |byte: u8| byte.is_ascii_alphanumeric() || "+/".as_bytes().contains(&byte);
        !digits.is_empty() && text.len().is_multiple_of(4) && digits.bytes().all(known)
    };
    let is_key = |text: &str| text.len() == 44 && text.ends_with('=') && is_base64(text);
    rounds.parse::<i32>().is_ok_and(|rounds| rounds > 0) && is_base64(salt) && is_key(stored) && is_key(server)
}

fn is_md5(text: &str) -> bool {
    text.strip_prefix("md5").is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A TOML date and time with its offset, or the same as a text.
fn moment(value: &Value) -> Result<i64, Fault> {
    let text = match value {
        Value::Datetime(moment) => moment.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let moment = DateTime::parse_from_rfc3339(&text);
    let moment =
        moment.map_err(|_| Fault::new("is no moment").advise("write it with its offset: 2027-01-31T00:00:00Z"));
    moment.map(|moment| moment.timestamp())
}
