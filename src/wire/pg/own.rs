//! Messages of our own around a client's: questions to the server in the extended protocol, and answers in the server's place.
//!
//! Values travel beside the text of a question, never in it, so nothing that a client chose can become SQL, in no encoding.
//! Source: PostgreSQL manual, "Message Formats".

use bytes::{BufMut, BytesMut};

use super::code::{client, server};
use super::frame::HEAD;
use super::refusal::message;
use super::reply::{self, Parameter};
use crate::wire::reader::Reader;
use crate::wire::{Failure, Head, Transaction};

/// Writes one statement with its values as text: Parse, Bind and Execute, all unnamed. A [`sync`] must follow.
pub fn ask(sql: &str, values: &[&[u8]], out: &mut BytesMut) {
    let mut text = BytesMut::with_capacity(sql.len().saturating_add(4));
    text.put_slice(sql.as_bytes());
    text.put_slice(&[0, 0, 0]);
    parse(b"", &text, out);
    bind(b"", values, out);
    execute(b"", out);
}

/// Writes Bind, Execute and Close of a portal that has the name of its prepared statement, with values as text.
pub fn run(name: &[u8], values: &[&[u8]], out: &mut BytesMut) {
    bind(name, values, out);
    execute(name, out);
    message(client::CLOSE, &[b"P", name, &[0]].concat(), out);
}

/// Writes Bind, Describe of the portal and Execute, all unnamed, with no values and rows as text. A [`sync`] must follow.
pub fn run_unnamed(out: &mut BytesMut) {
    bind(b"", &[], out);
    message(client::DESCRIBE, b"P\0", out);
    execute(b"", out);
}

/// Writes a Bind of a statement to a portal of its name, with values as text.
fn bind(name: &[u8], values: &[&[u8]], out: &mut BytesMut) {
    let mut body = BytesMut::new();
    [name, &[0], name, &[0, 0, 0]].into_iter().for_each(|part| body.put_slice(part));
    body.put_u16(u16::try_from(values.len()).unwrap_or(u16::MAX));
    for value in values {
        body.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        body.put_slice(value);
    }
    body.put_u16(0);
    message(client::BIND, &body, out);
}

/// Writes an Execute of a portal, for all of its rows.
fn execute(portal: &[u8], out: &mut BytesMut) {
    message(client::EXECUTE, &[portal, &[0; 5]].concat(), out);
}

/// Writes a Sync.
pub fn sync(out: &mut BytesMut) {
    message(client::SYNC, &[], out);
}

/// Writes a Flush.
pub fn flush(out: &mut BytesMut) {
    message(client::FLUSH, &[], out);
}

/// Writes a Parse; `body` is text and types as in another one.
pub fn parse(name: &[u8], body: &[u8], out: &mut BytesMut) {
    let size = name.len().saturating_add(body.len()).saturating_add(5);
    out.put_u8(client::PARSE);
    out.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    out.put_slice(name);
    out.put_u8(0);
    out.put_slice(body);
}

/// Writes a simple query.
pub fn query(sql: &str, out: &mut BytesMut) {
    let body = [sql.as_bytes(), &[0]].concat();
    message(client::QUERY, &body, out);
}

/// Writes a Close of a prepared statement.
pub fn close(name: &[u8], out: &mut BytesMut) {
    let body = [b"S", name, &[0]].concat();
    message(client::CLOSE, &body, out);
}

/// Writes a ParseComplete.
pub fn parse_complete(out: &mut BytesMut) {
    message(server::PARSE_COMPLETE, &[], out);
}

/// Writes a CloseComplete.
pub fn close_complete(out: &mut BytesMut) {
    message(server::CLOSE_COMPLETE, &[], out);
}

/// Writes a ParameterStatus.
pub fn parameter_status(parameter: &Parameter, out: &mut BytesMut) {
    let body = [&parameter.name[..], &[0], &parameter.value, &[0]].concat();
    message(server::PARAMETER_STATUS, &body, out);
}

/// What a server's message says in an exchange of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A row.
    Row(Columns<'a>),
    /// A parameter has changed.
    Parameter(Parameter),
    /// A statement failed, and this is what the server says to it.
    Failed(Failure, &'a [u8]),
    /// The exchange is over.
    Done(Transaction),
    /// Nothing that matters: a statement is prepared, bound or complete.
    Other,
    /// A notice, which may come at any time.
    Notice,
    /// A notification, which is for the client.
    Notification,
}

/// How much of an error's message is kept.
const MESSAGE_MAX: usize = 1024;

/// An error that a statement of ours was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// SQLSTATE; zeros where the server gave none.
    pub sqlstate: [u8; 5],
    /// The primary message. It may hold values.
    pub message: Box<[u8]>,
}

impl Raised {
    /// Of a server that does not say what is wrong.
    pub fn silent() -> Self {
        Self { sqlstate: *b"00000", message: Box::default() }
    }

    /// What [`Event::Failed`] tells; a long message is cut.
    pub fn of(failure: Failure, message: &[u8]) -> Self {
        let message = message.get(..MESSAGE_MAX).unwrap_or(message);
        Self { sqlstate: failure.sqlstate, message: message.into() }
    }
}

/// How much of a message [`event`] wants: all of it. Longer ones belong to no exchange of ours.
pub const EVENT_MAX: u64 = 1 << 20;

/// Reads a whole message of the server.
pub fn event(head: Head, frame: &[u8]) -> Event<'_> {
    match head.code {
        server::DATA_ROW => Event::Row(Columns::of(frame)),
        server::PARAMETER_STATUS => reply::parameter(frame).map_or(Event::Other, Event::Parameter),
        server::ERROR => Event::Failed(reply::failure(frame), reply::message(frame)),
        server::READY => reply::status(frame).map_or(Event::Other, Event::Done),
        server::NOTIFICATION => Event::Notification,
        server::NOTICE => Event::Notice,
        _ => Event::Other,
    }
}

/// The columns of a row, one by one.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a>(Reader<'a>);

impl PartialEq for Columns<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.rest() == other.0.rest()
    }
}

impl Eq for Columns<'_> {}

impl<'a> Columns<'a> {
    fn of(frame: &'a [u8]) -> Self {
        let mut reader = Reader::new(frame.get(HEAD..).unwrap_or_default());
        // Their number, which the row itself shows.
        let _ = reader.u16();
        Self(reader)
    }
}

impl<'a> Iterator for Columns<'a> {
    /// NULL is empty.
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match usize::try_from(self.0.i32().ok()?) {
            Ok(size) => self.0.bytes(size).ok(),
            Err(_) => Some(&[]),
        }
    }
}

/// What a reply of the server answers, in the order of what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// ParseComplete.
    Parse,
    /// BindComplete.
    Bind,
    /// CloseComplete.
    Close,
    /// RowDescription or NoData: the end of a Describe; or the beginning of rows.
    Described,
    /// The end of an Execute: CommandComplete, EmptyQueryResponse, PortalSuspended.
    Executed,
    /// CopyInResponse: what was asked after it is read as COPY traffic.
    CopyIn,
    /// An error: what follows up to Sync is skipped.
    Failed,
    /// ReadyForQuery.
    Ready,
    /// Nothing of these: rows, notices, parameters, the first half of a description.
    Between,
}

/// What a message of the server answers.
pub const fn answered(code: u8) -> Answered {
    match code {
        server::PARSE_COMPLETE => Answered::Parse,
        server::BIND_COMPLETE => Answered::Bind,
        server::CLOSE_COMPLETE => Answered::Close,
        server::ROW_DESCRIPTION | server::NO_DATA => Answered::Described,
        server::COMMAND_COMPLETE | server::EMPTY_QUERY | server::PORTAL_SUSPENDED => Answered::Executed,
        server::COPY_IN => Answered::CopyIn,
        server::ERROR => Answered::Failed,
        server::READY => Answered::Ready,
        _ => Answered::Between,
    }
}

/// True where a description has columns, if only none of them: what it describes returns rows.
pub const fn returns_rows(code: u8) -> bool {
    code == server::ROW_DESCRIPTION
}

/// What a CommandComplete says of all prepared statements.
pub fn forgets_all(frame: &[u8]) -> bool {
    matches!(frame.get(HEAD..), Some(b"DEALLOCATE ALL\0" | b"DISCARD ALL\0"))
}

/// What a CommandComplete says of tables, types and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// Some are new or gone, which may be temporary ones.
    MadeOrDropped,
    /// Some are others than before.
    Altered,
    /// What its transaction did is taken back, or some of it.
    TakenBack,
}

/// What a CommandComplete says of tables, types and functions; `None`: nothing.
pub fn objects(frame: &[u8]) -> Option<Objects> {
    match frame.get(HEAD..)? {
        [b'A', b'L', b'T', b'E', b'R', b' ', ..] => Some(Objects::Altered),
        [b'C', b'R', b'E', b'A', b'T', b'E', b' ', ..] | [b'D', b'R', b'O', b'P', b' ', ..] => {
            Some(Objects::MadeOrDropped)
        }
        b"ROLLBACK\0" => Some(Objects::TakenBack),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{client_head, server_head};
    use super::*;

    #[test]
    fn a_question_is_three_messages_with_its_values_beside_it() {
        let mut out = BytesMut::new();
        ask("SELECT $1", &[b"it's", b""], &mut out);
        sync(&mut out);
        let mut rest = &out[..];
        let mut frames = Vec::new();
        while let Some(head) = client_head(rest).unwrap() {
            let (frame, after) = rest.split_at(usize::try_from(head.size).unwrap());
            frames.push((char::from(head.code), &frame[HEAD..]));
            rest = after;
        }
        let expected: [(char, &[u8]); 4] = [
            ('P', b"\0SELECT $1\0\0\0"),
            ('B', b"\0\0\0\0\0\x02\0\0\0\x04it's\0\0\0\0\0\0"),
            ('E', b"\0\0\0\0\0"),
            ('S', b""),
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn rows_are_read_column_by_column_and_broken_ones_end_early() {
        let mut row = BytesMut::new();
        message(server::DATA_ROW, b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\x01c", &mut row);
        let head = server_head(&row).unwrap().unwrap();
        let Event::Row(columns) = event(head, &row) else { panic!("no row") };
        assert_eq!(columns.collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        let Event::Row(columns) = event(head, &row[..9 + HEAD]) else { panic!("no row") };
        assert_eq!(columns.count(), 1);
    }

    #[test]
    fn tags_of_what_changes_objects_are_known() {
        let frame = |tag: &[u8]| [&b"C\0\0\0\0"[..], tag].concat();
        for (tag, expected) in [
            (&b"ALTER TABLE\0"[..], Some(Objects::Altered)),
            (b"DROP TYPE\0", Some(Objects::MadeOrDropped)),
            (b"CREATE TABLE\0", Some(Objects::MadeOrDropped)),
            (b"ROLLBACK\0", Some(Objects::TakenBack)),
            (b"ROLLBACK PREPARED\0", None),
            (b"DROPPED\0", None),
            (b"SELECT 1\0", None),
            (b"", None),
        ] {
            assert_eq!(objects(&frame(tag)), expected, "{tag:?}");
        }
        assert_eq!(objects(b""), None);
    }

    #[test]
    fn tags_that_forget_every_statement_are_known() {
        let frame = |tag: &[u8]| [&b"C\0\0\0\0"[..], tag].concat();
        assert!(forgets_all(&frame(b"DISCARD ALL\0")) && forgets_all(&frame(b"DEALLOCATE ALL\0")));
        assert!(!forgets_all(&frame(b"DEALLOCATE\0")) && !forgets_all(&frame(b"DISCARD PLANS\0")) && !forgets_all(b""));
    }
}
