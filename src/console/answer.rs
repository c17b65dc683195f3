//! What a command answers, and how it becomes protocol messages.

use std::fmt;

use bytes::{BufMut, BytesMut};
use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage as Reply;
use pgwire::messages::data::{DataRow, FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, FieldDescription, RowDescription};
use pgwire::messages::response::{CommandComplete, ErrorResponse, NoticeResponse, ReadyForQuery, TransactionStatus};

use crate::telemetry::VERSION;

/// A column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `int8`.
    Count,
    /// `text`.
    Text,
}

/// A column of counts.
pub(super) const fn count(name: &'static str) -> Column {
    Column { name, kind: Kind::Count }
}

/// A column of texts.
pub(super) const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Count(i64),
    Text(String),
    Null,
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Count(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        // The protocol allows no NUL inside a text.
        Self::Text(if text.contains('\0') { text.replace('\0', "\\0") } else { text })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
pub(super) type Row = Vec<Value>;

/// What a command has begun, and waits for.
pub(super) struct Wait {
    /// How it ended; `None`: it has not.
    pub(super) ended: Box<dyn Fn() -> Option<Result<String, Failure>> + Send + Sync>,
    /// A sentence for an operator who has waited for a while.
    pub(super) told: Box<dyn Fn() -> String + Send + Sync>,
    /// Takes back what was begun: the operator has cancelled it.
    pub(super) given_up: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

/// What a command answers.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Rows, in the columns that the command declares.
    pub(super) rows: Vec<Row>,
    /// A sentence for the operator.
    pub(super) notice: Option<String>,
    /// What is to be waited for before it has been done.
    pub(super) wait: Option<Wait>,
}

impl Answer {
    /// Rows and no more.
    pub(super) fn rows(rows: impl IntoIterator<Item = Row>) -> Self {
        Self { rows: rows.into_iter().collect(), ..Self::default() }
    }

    /// A sentence and no rows.
    pub(super) fn done(notice: impl Into<String>) -> Self {
        Self { notice: Some(notice.into()), ..Self::default() }
    }

    /// Done once that has ended.
    pub(super) fn after(wait: Wait) -> Self {
        Self { wait: Some(wait), ..Self::default() }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A failure with a SQLSTATE.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Says what to do instead.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error that the connection survives.
pub(super) fn error(failure: &Failure) -> Reply {
    Reply::ErrorResponse(ErrorResponse::from(info("ERROR", failure)))
}

/// An error that ends the connection.
pub(super) fn fatal(failure: &Failure) -> Reply {
    Reply::ErrorResponse(ErrorResponse::from(info("FATAL", failure)))
}

/// A sentence for the operator.
pub(super) fn notice(sentence: &str) -> Reply {
    Reply::NoticeResponse(NoticeResponse::from(info("NOTICE", &Failure::new("00000", sentence))))
}

fn info(severity: &str, failure: &Failure) -> ErrorInfo {
    let mut info = ErrorInfo::new(severity.to_owned(), failure.code.to_owned(), failure.message.clone());
    info.severity_nonlocalized = Some(severity.to_owned());
    info.hint.clone_from(&failure.hint);
    info
}

/// The end of a command.
pub(super) fn complete(tag: impl Into<String>) -> Reply {
    Reply::CommandComplete(CommandComplete::new(tag.into()))
}

/// The end of a request. The console knows no transactions.
pub(super) fn ready() -> Reply {
    Reply::ReadyForQuery(ReadyForQuery::new(TransactionStatus::Idle))
}

/// Clients read a number from the front of it, and switch features by that.
pub(super) fn server_version() -> String {
    format!("17.0 (Floodwall {VERSION})")
}

/// How the client wants each column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Formats(Vec<i16>);

impl Formats {
    /// The format codes of a Bind: none means text, one is for all columns.
    pub(super) fn new(codes: Vec<i16>, columns: usize) -> Result<Self, Failure> {
        if codes.iter().any(|code| ![FORMAT_CODE_TEXT, FORMAT_CODE_BINARY].contains(code)) {
            return Err(Failure::new("08P01", "unknown format code"));
        }
        if codes.len() > 1 && codes.len() != columns {
            let message = format!("bind message has {} result formats but query has {columns} columns", codes.len());
            return Err(Failure::new("08P01", message));
        }
        Ok(Self(codes))
    }

    fn of(&self, column: usize) -> i16 {
        let single = if self.0.len() == 1 { self.0.first() } else { self.0.get(column) };
        single.copied().unwrap_or(FORMAT_CODE_TEXT)
    }
}

/// The head of a table.
pub(super) fn head(columns: &[Column], formats: &Formats) -> Reply {
    let fields = columns.iter().enumerate().map(|(place, column)| {
        // Type numbers and sizes of int8 and text, as in pg_type.
        let (oid, size) = match column.kind {
            Kind::Count => (20, 8),
            Kind::Text => (25, -1),
        };
        FieldDescription::new(column.name.to_owned(), 0, 0, oid, size, -1, formats.of(place))
    });
    Reply::RowDescription(RowDescription::new(fields.collect()))
}

/// One row of a table.
pub(super) fn row(values: &[Value], formats: &Formats) -> Reply {
    let mut data = BytesMut::new();
    for (place, value) in values.iter().enumerate() {
        match value {
            Value::Null => data.put_i32(-1),
            Value::Text(text) => field(&mut data, text.as_bytes()),
            Value::Count(count) if formats.of(place) == FORMAT_CODE_BINARY => field(&mut data, &count.to_be_bytes()),
            Value::Count(count) => field(&mut data, count.to_string().as_bytes()),
        }
    }
    Reply::DataRow(DataRow::new(data, i16::try_from(values.len()).unwrap_or(i16::MAX)))
}

fn field(data: &mut BytesMut, bytes: &[u8]) {
    data.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    data.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reply: &Reply) -> Vec<u8> {
        let mut out = BytesMut::new();
        reply.encode(&mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn rows_follow_the_formats() {
        let values = [Value::from(7u64), Value::from("x"), Value::Null];
        let text = row(&values, &Formats::default());
        assert!(bytes(&text).ends_with(b"\0\x03\0\0\0\x017\0\0\0\x01x\xff\xff\xff\xff"));
        let binary = row(&values, &Formats::new(vec![1], 3).unwrap());
        assert!(bytes(&binary).ends_with(b"\0\x03\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0\0\x01x\xff\xff\xff\xff"));
    }

    #[test]
    fn formats_must_fit_the_columns() {
        assert!(Formats::new(vec![0, 1], 3).is_err());
        assert!(Formats::new(vec![2], 3).is_err());
        assert_eq!(Formats::new(vec![0, 1, 0], 3).unwrap().of(1), 1);
        assert_eq!(Formats::new(vec![], 3).unwrap().of(1), 0);
    }

    #[test]
    fn texts_hold_no_nul_and_counts_do_not_wrap() {
        assert_eq!(Value::from("a\0b"), Value::Text("a\\0b".to_owned()));
        assert_eq!(Value::from(u64::MAX), Value::Count(i64::MAX));
    }
}
