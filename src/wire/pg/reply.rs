//! What a server's message means to the relay.

use super::Conversation;
use super::code::server;
use super::frame::HEAD;
use super::phase::Phase;
use crate::wire::reader::Reader;
use crate::wire::{Completion, Failure, Head, Needs, Reply, Setting, Severity, Transaction};

/// The longest ErrorResponse, ParameterStatus or NotificationResponse that is read; longer ones pass unread.
const READ_MAX: u64 = 64 * 1024;

/// The longest CommandComplete that is read: tags are short.
const TAG_MAX: u64 = 256;

/// The front of a NoticeResponse, in which its severity stands.
const SEVERITY_MAX: u64 = 64;

/// How much of a message must be at hand.
pub const fn needs(head: Head) -> Needs {
    match head.code {
        server::READY | server::ERROR | server::PARAMETER_STATUS | server::NOTIFICATION if head.size <= READ_MAX => {
            Needs::Prefix(head.size)
        }
        server::NOTICE if head.size > SEVERITY_MAX => Needs::Prefix(SEVERITY_MAX),
        server::NOTICE => Needs::Prefix(head.size),
        server::COMMAND_COMPLETE if head.size <= TAG_MAX => Needs::Prefix(head.size),
        _ => Needs::Head,
    }
}

/// The letter of a ReadyForQuery.
pub fn status(frame: &[u8]) -> Option<Transaction> {
    match frame.get(HEAD) {
        Some(b'I') => Some(Transaction::None),
        Some(b'T') => Some(Transaction::Open),
        Some(b'E') => Some(Transaction::Failed),
        _ => None,
    }
}

impl Conversation {
    /// A message that leaves refusals alone.
    pub(super) fn plain(&self, code: u8, frame: &[u8]) -> Reply {
        match code {
            server::DATA_ROW => Reply::Row,
            server::FUNCTION_RESULT => Reply::Value,
            // Data that flows both ways is replication, which no budget counts.
            server::COPY_DATA if !matches!(self.phase, Phase::CopyBoth(_)) => Reply::Piece,
            server::COMMAND_COMPLETE => Reply::Completed(completion(frame)),
            server::PORTAL_SUSPENDED | server::EMPTY_QUERY => Reply::Completed(Completion::Other),
            server::COPY_IN => Reply::Copying,
            server::NOTICE if !is_logged(frame) => Reply::Notice,
            server::NOTICE | server::NOTIFICATION => Reply::Aside,
            _ => Reply::Other,
        }
    }
}

/// How many rows a CommandComplete says were changed: its tag ends in the count.
pub fn completion(frame: &[u8]) -> Completion {
    let tag = Reader::new(frame.get(HEAD..).unwrap_or_default()).cstr().unwrap_or_default();
    let mut words = tag.split(|&byte| byte == b' ');
    match words.next() {
        Some(b"INSERT" | b"UPDATE" | b"DELETE" | b"MERGE") => {
            let count = words.next_back().and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
            count.map_or(Completion::Other, Completion::Changed)
        }
        _ => Completion::Other,
    }
}

/// What a server reports of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as the server writes it.
    pub name: Box<[u8]>,
    /// Its value, in the client's encoding.
    pub value: Box<[u8]>,
}

impl Parameter {
    /// Does it tell that its server is a standby? PostgreSQL 14 and newer report it with each login.
    pub fn tells_standby(&self) -> bool {
        *self.name == *b"in_hot_standby" && *self.value == *b"on"
    }
}

/// Reads a ParameterStatus; `None` where it is none.
pub fn parameter(frame: &[u8]) -> Option<Parameter> {
    let mut reader = Reader::new(frame.get(HEAD..)?);
    let name = reader.cstr().ok()?.into();
    Some(Parameter { name, value: reader.cstr().ok()?.into() })
}

/// The fields of an ErrorResponse that matter here.
pub fn failure(frame: &[u8]) -> Failure {
    let mut failure = Failure { sqlstate: *b"00000", fatal: Severity::Error };
    for (kind, value) in fields(frame) {
        match kind {
            // `V` is never translated, `S` is; servers before 9.6 have only `S`.
            b'V' | b'S' if value == b"FATAL" || value == b"PANIC" => failure.fatal = Severity::Fatal,
            b'C' => {
                if let Ok(code) = value.try_into() {
                    failure.sqlstate = code;
                }
            }
            _ => {}
        }
    }
    failure
}

/// Is a notice of a kind that a server's log is for? A client that asks for those is sent some when its statement is over: how long it took.
fn is_logged(frame: &[u8]) -> bool {
    fields(frame).any(|(kind, value)| kind == b'V' && (value == b"LOG" || value.starts_with(b"DEBUG")))
}

/// The primary message of an ErrorResponse.
pub fn message(frame: &[u8]) -> &[u8] {
    fields(frame).find_map(|(kind, value)| (kind == b'M').then_some(value)).unwrap_or_default()
}

/// The setting that a ParameterStatus reports, where it changes how SQL is read.
pub fn setting(frame: &[u8]) -> Option<Setting> {
    let mut reader = Reader::new(frame.get(HEAD..)?);
    let name = reader.cstr().ok()?;
    let value = reader.cstr().ok()?;
    match name {
        b"standard_conforming_strings" if value == b"off" => Some(Setting::EscapedStrings),
        b"standard_conforming_strings" => Some(Setting::PlainStrings),
        b"client_encoding" => Some(encoding(value)),
        // From PostgreSQL 18 on.
        b"search_path" => Some(path(value)),
        _ => None,
    }
}

/// The longest `search_path` that is kept.
const PATH_MAX: usize = 1024;

/// What nobody can read here is one of the client's own.
fn path(value: &[u8]) -> Setting {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= PATH_MAX);
    text.map_or(Setting::OwnPath, |text| Setting::Path(text.into()))
}

/// Client encodings in which a byte below 0x80 may be the second half of a character.
/// Source: PostgreSQL manual, "Character Set Support": those that are not allowed on the server.
fn encoding(name: &[u8]) -> Setting {
    match name {
        b"SJIS" | b"SHIFT_JIS_2004" => Setting::ShiftJisEncoding,
        b"BIG5" | b"GBK" | b"UHC" | b"GB18030" | b"JOHAB" => Setting::PairEncoding,
        _ => Setting::SafeEncoding,
    }
}

fn fields(frame: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(frame.get(HEAD..).unwrap_or_default());
    std::iter::from_fn(move || {
        let kind = reader.u8().ok().filter(|&kind| kind != 0)?;
        Some((kind, reader.cstr().ok()?))
    })
}
