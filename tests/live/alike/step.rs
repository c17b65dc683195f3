//! What a client does in one go, and how it is written to the wire.

use crate::support::raw;

/// One client's turn.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) client: usize,
    pub(super) act: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Messages in one write, and what is waited for behind them.
    Send(Vec<Sent>, Waits),
    /// A statement that sleeps, and is cancelled once it does.
    Cancel,
    /// The same of the first statement of these messages, which are one group.
    CancelFirst(Vec<Sent>),
    /// A cancel while nothing runs.
    CancelNothing,
    /// It leaves in order, and comes again with these parameters.
    ComesAgain(Vec<(&'static str, &'static str)>),
    /// It sends what may cost it its connection, and comes again where it does.
    Garbles(Vec<Sent>),
    /// It sends these and is gone in the middle of them, and comes again.
    Breaks(Vec<Sent>),
    /// The same once the first statement of these sleeps.
    BreaksAsleep(Vec<Sent>),
}

/// A message, and how a person reads it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) says: String,
    pub(super) bytes: Vec<u8>,
}

/// The form of the columns of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    Text,
    Binary,
}

/// What ends the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// So many ReadyForQuery.
    Ready(usize),
    /// So many replies of the extended protocol, or an error; nothing where the pipeline has failed before.
    Answers(usize),
}

impl Sent {
    fn new(says: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { says: says.into(), bytes }
    }

    pub(super) fn query(sql: &str) -> Self {
        Self::new(format!("Query {}", short(sql)), raw::query(sql))
    }

    pub(super) fn parse(name: &str, sql: &str) -> Self {
        Self::new(format!("Parse {name:?} {}", short(sql)), raw::parse(name, sql))
    }

    pub(super) fn bind(portal: &str, name: &str, values: &[String]) -> Self {
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        Self::new(format!("Bind {portal:?} {name:?} {values:?}"), raw::bind_portal(portal, name, &texts))
    }

    /// A Parse with the types of its parameters.
    pub(super) fn parse_as(name: &str, sql: &str, types: &[u32]) -> Self {
        let told = if types.is_empty() { String::new() } else { format!(" of {types:?}") };
        Self::new(format!("Parse {name:?} {}{told}", short(sql)), raw::parse_typed(name, sql, types))
    }

    /// A Bind of texts, `None` for NULL, whose columns come in this form.
    pub(super) fn bind_as(portal: &str, name: &str, values: &[Option<&str>], columns: Columns) -> Self {
        let told = if columns == Columns::Binary { ", in binary" } else { "" };
        let words = format!("Bind {portal:?} {name:?} {values:?}{told}");
        let values: Vec<_> = values.iter().map(|value| (0, value.map(str::as_bytes))).collect();
        let mut bytes = raw::bind_values(portal, name, &values);
        if columns == Columns::Binary {
            // In place of "all as text", which ends it: one format, for all of them.
            bytes.truncate(bytes.len() - 2);
            bytes.extend([0, 1, 0, 1]);
            let size = u32::try_from(bytes.len() - 1).unwrap();
            bytes[1..5].copy_from_slice(&size.to_be_bytes());
        }
        Self::new(words, bytes)
    }

    pub(super) fn describe(kind: char, name: &str) -> Self {
        Self::new(format!("Describe {kind} {name:?}"), named(b'D', kind, name))
    }

    pub(super) fn close(kind: char, name: &str) -> Self {
        Self::new(format!("Close {kind} {name:?}"), named(b'C', kind, name))
    }

    pub(super) fn execute(portal: &str, rows: u32) -> Self {
        Self::new(format!("Execute {portal:?} {rows}"), raw::execute_portal(portal, rows))
    }

    pub(super) fn copy_data(text: &str) -> Self {
        Self::new(format!("CopyData {text:?}"), raw::frame(b'd', text.as_bytes()))
    }

    pub(super) fn copy_bytes(bytes: &[u8]) -> Self {
        Self::new(format!("CopyData {}", bytes.escape_ascii()), raw::frame(b'd', bytes))
    }

    pub(super) fn copy_done() -> Self {
        Self::new("CopyDone", raw::frame(b'c', &[]))
    }

    pub(super) fn copy_fail() -> Self {
        Self::new("CopyFail", raw::frame(b'f', b"enough\0"))
    }

    /// A function of the server's own, by its number.
    pub(super) fn call((name, number): (&str, u32), values: &[&str]) -> Self {
        let mut body = number.to_be_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(value.as_bytes());
        }
        body.extend([0, 0]);
        Self::new(format!("FunctionCall {name} {values:?}"), raw::frame(b'F', &body))
    }

    /// What is no message, or one that says what it can't.
    pub(super) fn broken(says: &str, bytes: Vec<u8>) -> Self {
        Self::new(format!("Broken, {says}"), bytes)
    }

    pub(super) fn sync() -> Self {
        Self::new("Sync", raw::sync())
    }

    pub(super) fn flush() -> Self {
        Self::new("Flush", raw::flush())
    }

    /// Nothing answers it.
    pub(super) fn is_flush(&self) -> bool {
        self.bytes == raw::flush()
    }
}

impl Step {
    /// Does it run a prepared statement by SQL?
    pub(super) fn executes(&self) -> bool {
        let (Act::Send(sent, _) | Act::CancelFirst(sent)) = &self.act else { return false };
        sent.iter().any(|sent| sent.says.contains(" EXECUTE "))
    }

    /// Does its group go on behind it?
    pub(super) fn stays_open(&self) -> bool {
        matches!(self.act, Act::Send(_, Waits::Answers(_)))
    }

    /// As a person reads it.
    pub(super) fn says(&self) -> String {
        let act = match &self.act {
            Act::Send(sent, _) => says(sent),
            Act::CancelFirst(sent) => format!("CancelFirst {}", says(sent)),
            Act::Garbles(sent) => format!("Garbles {}", says(sent)),
            Act::Breaks(sent) => format!("Breaks {}", says(sent)),
            Act::BreaksAsleep(sent) => format!("BreaksAsleep {}", says(sent)),
            Act::Cancel | Act::CancelNothing | Act::ComesAgain(_) => format!("{:?}", self.act),
        };
        format!("client {}: {act}", self.client)
    }
}

fn says(sent: &[Sent]) -> String {
    sent.iter().map(|sent| sent.says.as_str()).collect::<Vec<_>>().join(" | ")
}

fn named(code: u8, kind: char, name: &str) -> Vec<u8> {
    raw::frame(code, &[vec![u8::try_from(kind).unwrap()], raw::cstring(name)].concat())
}

fn short(sql: &str) -> String {
    if sql.len() > 200 { format!("{}… ({} bytes)", &sql[..100], sql.len()) } else { sql.to_owned() }
}
