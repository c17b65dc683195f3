//! Break-glass passes: an operator's signed word that one user may do for a while what a rule refuses.
//!
//! A pass travels in a comment of the statement, `/* floodwall: allow=… user=… database=… until=… reason=… sig=… */`. What counts
//! is the signature, so a client can write such a comment and gain nothing by it. It is bound to rules, user, database and
//! expiry, and to no statement: whoever is that user and holds the comment can use it until it expires, which is a day at
//! the most. No clock is asked here: whoever verifies says what time it is.

use std::fmt::{self, Write as _};

use chrono::{DateTime, NaiveDateTime};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::rules;
use crate::sql::comment::{COMMENT_BYTES_MAX, at_the_ends};

/// How long a pass may hold: it is a key that opens until it expires.
pub const LIFETIME_SECONDS_MAX: u64 = 24 * 60 * 60;
/// A key below this is no match for a machine that guesses.
pub const KEY_BYTES_MIN: usize = 32;

/// What the comment begins with.
const TITLE: &str = "floodwall:";
/// In the signed text, so that another form of it never counts as this one.
const VERSION: &str = "floodwall-pass-v1";
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";
const ANY_DATABASE: &str = "*";

/// The key that passes are signed with. Shows itself in no `Debug`.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// What an operator allows, to whom, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Names of the rules that it lifts, in the order of the registry.
    pub rules: Vec<&'static str>,
    /// The user that must have logged in.
    pub user: String,
    /// The database that the session must be in; `None`: any.
    pub database: Option<String>,
    /// When it expires, in seconds since 1970.
    pub until: u64,
    /// Why, for the log; may be empty.
    pub reason: String,
}

/// Why a comment that looks like a pass is none. It then counts as if it were not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is not written as a pass is.
    Malformed,
    /// The signature is not that of this text by this key.
    Forged,
    /// It is meant for another user or database.
    OtherClient,
    /// Its time is over.
    Expired,
    /// It would hold for more than a day.
    TooLong,
}

impl Flaw {
    /// The word of the metrics and the log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::OtherClient => "other_client",
            Self::Expired => "expired",
            Self::TooLong => "too_long",
        }
    }
}

/// Whoever shows a pass: as proved at the login.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// The user that logged in.
    pub user: &'a str,
    /// The database of the session.
    pub database: &'a str,
}

impl Key {
    /// Takes a secret; `None` where it is shorter than [`KEY_BYTES_MIN`].
    pub fn new(secret: &[u8]) -> Option<Self> {
        let mac = (secret.len() >= KEY_BYTES_MIN).then(|| Hmac::new_from_slice(secret).ok())?;
        mac.map(Self)
    }

    fn mac(&self, pass: &Pass) -> Hmac<Sha256> {
        self.0.clone().chain_update(pass.signed_text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// The comment of a statement's text that claims to be a pass, without its `/*` and `*/`; the first one counts.
pub fn find(text: &[u8]) -> Option<&[u8]> {
    at_the_ends(text).map(<[u8]>::trim_ascii).find(|comment| comment.starts_with(TITLE.as_bytes()))
}

impl Pass {
    /// The signed comment; `None` where it would be too long to be looked at.
    pub fn comment(&self, key: &Key) -> Option<String> {
        let signature = key.mac(self).finalize().into_bytes();
        let comment = format!("/* {TITLE} {} sig={} */", self.fields().join(" "), hex(&signature));
        (comment.len() <= COMMENT_BYTES_MAX).then_some(comment)
    }

    /// Reads a comment as [`find`] gives it, and proves that it holds now and for this client.
    ///
    /// # Errors
    /// What is wrong with it. The signature is compared in constant time, and nothing else is told of a forged pass.
    pub fn verify(comment: &[u8], key: &Key, bearer: Bearer<'_>, now: u64) -> Result<Self, Flaw> {
        let (pass, signature) = Self::parse(comment).ok_or(Flaw::Malformed)?;
        key.mac(&pass).verify_slice(&signature).map_err(|_| Flaw::Forged)?;
        if pass.user != bearer.user || pass.database.as_ref().is_some_and(|database| database != bearer.database) {
            return Err(Flaw::OtherClient);
        }
        match pass.until.saturating_sub(now) {
            0 => Err(Flaw::Expired),
            left if left > LIFETIME_SECONDS_MAX => Err(Flaw::TooLong),
            _ => Ok(pass),
        }
    }

    /// The moment at which it expires, as the comment says it.
    pub fn until_text(&self) -> String {
        let seconds = i64::try_from(self.until).unwrap_or(i64::MAX);
        DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH).format(TIME_FORMAT).to_string()
    }

    /// Each field has one form: what is signed is read from the comment and written anew.
    fn signed_text(&self) -> String {
        format!("{VERSION}\n{}", self.fields().join("\n"))
    }

    fn fields(&self) -> [String; 5] {
        let database = self.database.as_deref().map_or_else(|| ANY_DATABASE.to_owned(), encoded);
        [
            format!("allow={}", self.rules.join(",")),
            format!("user={}", encoded(&self.user)),
            format!("database={database}"),
            format!("until={}", self.until_text()),
            format!("reason={}", encoded(&self.reason)),
        ]
    }

    fn parse(comment: &[u8]) -> Option<(Self, Vec<u8>)> {
        let mut words = std::str::from_utf8(comment).ok()?.strip_prefix(TITLE)?.split_ascii_whitespace();
        let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let pass = Self {
            rules: rules_of(value("allow")?)?,
            user: decoded(value("user")?)?,
            database: match value("database")? {
                ANY_DATABASE => None,
                name => Some(decoded(name)?),
            },
            until: seconds_of(value("until")?)?,
            reason: decoded(value("reason")?)?,
        };
        let signature = unhex(value("sig")?)?;
        words.next().is_none().then_some((pass, signature))
    }
}

/// Names of rules, in the order of the registry and each once; `None` where one is no rule.
fn rules_of(list: &str) -> Option<Vec<&'static str>> {
    let known = |name: &str| rules::ALL.iter().position(|def| def.name == name);
    let mut found: Vec<usize> = list.split(',').map(known).collect::<Option<_>>()?;
    found.sort_unstable();
    found.dedup();
    Some(found.into_iter().filter_map(|at| rules::ALL.get(at)).map(|def| def.name).collect())
}

fn seconds_of(text: &str) -> Option<u64> {
    let time = NaiveDateTime::parse_from_str(text, TIME_FORMAT).ok()?;
    u64::try_from(time.and_utc().timestamp()).ok()
}

/// A value without white space, and without anything that could end the comment.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'#');
        // Writing to a `String` cannot fail.
        let _ = if plain { write!(out, "{}", char::from(byte)) } else { write!(out, "%{byte:02X}") };
    }
    out
}

fn decoded(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        out.extend(unhex(digits)?);
        out.extend(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
