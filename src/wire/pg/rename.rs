//! Names of prepared statements in a client's messages: read, and exchanged for others without decoding the rest.
//!
//! Source: PostgreSQL manual, "Message Formats": Parse, Bind, Describe, Close.

use bytes::{BufMut, BytesMut};

use super::code::client;
use super::frame::HEAD;
use crate::wire::reader::Reader;
use crate::wire::{Head, Malformed};

/// What a client's message does with prepared statements. The empty name is that of the unnamed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Prepares one. `body` is all behind the name, text and types; `None` where it is not at hand.
    Parse {
        /// The statement.
        name: &'a [u8],
        /// Text and types, as in the message.
        body: Option<&'a [u8]>,
    },
    /// Binds values to one.
    Bind {
        /// The statement.
        statement: &'a [u8],
    },
    /// Describes one.
    Describe {
        /// The statement.
        statement: &'a [u8],
    },
    /// Closes one.
    Close {
        /// The statement.
        statement: &'a [u8],
    },
    /// Describes a portal.
    DescribePortal,
    /// Closes a portal.
    ClosePortal,
    /// Runs a portal.
    Execute,
    /// Ends a pipeline.
    Sync,
    /// A simple query, which ends the unnamed statement.
    Query,
    /// A call of a function by its oid.
    Call,
    /// CopyDone or CopyFail.
    CopyEnd,
    /// What the server does not answer.
    Silent,
}

/// Reads a message of which the beginning is at hand: a Parse whole where it is to be kept.
///
/// # Errors
/// A name is never ended, or what is described or closed is neither statement nor portal.
pub fn asked(head: Head, frame: &[u8]) -> Result<Asked<'_>, Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).unwrap_or_default());
    Ok(match head.code {
        client::PARSE => {
            let name = reader.cstr()?;
            let whole = u64::try_from(frame.len()).is_ok_and(|size| size == head.size);
            Asked::Parse { name, body: whole.then(|| reader.rest()) }
        }
        client::BIND => {
            reader.cstr()?;
            Asked::Bind { statement: reader.cstr()? }
        }
        client::DESCRIBE => match reader.u8()? {
            STATEMENT => Asked::Describe { statement: reader.cstr()? },
            _ => Asked::DescribePortal,
        },
        client::CLOSE => match reader.u8()? {
            STATEMENT => Asked::Close { statement: reader.cstr()? },
            _ => Asked::ClosePortal,
        },
        client::EXECUTE => Asked::Execute,
        client::SYNC => Asked::Sync,
        client::QUERY => Asked::Query,
        client::FUNCTION_CALL => Asked::Call,
        client::COPY_DONE | client::COPY_FAIL => Asked::CopyEnd,
        _ => Asked::Silent,
    })
}

/// Writes the beginning of a message with another name for its statement, and tells how many bytes of the frame that takes the place
/// of: what follows them goes as received. `None` where the message names no statement, or would become too long.
pub fn renamed(head: Head, frame: &[u8], name: &[u8], out: &mut BytesMut) -> Option<usize> {
    let body = frame.get(HEAD..)?;
    let mut reader = Reader::new(body);
    let before = match head.code {
        client::PARSE => 0,
        client::BIND => reader.cstr().ok()?.len().checked_add(1)?,
        client::DESCRIBE | client::CLOSE if reader.u8().ok()? == STATEMENT => 1,
        _ => return None,
    };
    let old = reader.cstr().ok()?;
    let body_size = head.size.checked_sub(1)?.checked_add(u64::try_from(name.len()).ok()?)?;
    let length = body_size.checked_sub(u64::try_from(old.len()).ok()?).filter(|&length| length <= LENGTH_MAX)?;
    out.put_u8(head.code);
    out.put_u32(u32::try_from(length).ok()?);
    out.put_slice(body.get(..before)?);
    out.put_slice(name);
    out.put_u8(0);
    HEAD.checked_add(before)?.checked_add(old.len())?.checked_add(1)
}

/// What describes or closes a statement, not a portal.
const STATEMENT: u8 = b'S';
/// What the server takes.
const LENGTH_MAX: u64 = 0x3fff_ffff;

#[cfg(test)]
mod tests {
    use super::super::frame::client_head;
    use super::super::refusal::message;
    use super::*;

    fn frame(code: u8, body: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        message(code, body, &mut out);
        out.to_vec()
    }

    fn renamed_whole(frame: &[u8], name: &[u8]) -> Option<Vec<u8>> {
        let mut out = BytesMut::new();
        let head = client_head(frame).unwrap().unwrap();
        let skip = renamed(head, frame, name, &mut out)?;
        out.put_slice(&frame[skip..]);
        Some(out.to_vec())
    }

    #[test]
    fn only_the_name_and_the_length_change() {
        let table: [(u8, &[u8], &[u8]); 5] = [
            (b'P', b"old\0SELECT 1\0\0\0", b"a_new_one\0SELECT 1\0\0\0"),
            (b'P', b"\0SELECT 1\0\0\0", b"a_new_one\0SELECT 1\0\0\0"),
            (b'B', b"portal\0old\0\0\0\0\0\0\0", b"portal\0a_new_one\0\0\0\0\0\0\0"),
            (b'D', b"Sold\0", b"Sa_new_one\0"),
            (b'C', b"Sa very long name\0", b"Sa_new_one\0"),
        ];
        for (code, before, after) in table {
            assert_eq!(renamed_whole(&frame(code, before), b"a_new_one"), Some(frame(code, after)));
        }
        for (code, body) in [(b'D', &b"Pold\0"[..]), (b'C', b"Pold\0"), (b'E', b"old\0\0\0\0\0"), (b'B', b"portal")] {
            assert_eq!(renamed_whole(&frame(code, body), b"new"), None);
        }
    }

    #[test]
    fn a_bind_of_which_only_the_names_are_here_is_renamed_all_the_same() {
        let whole = frame(b'B', &[b"\0old\0".as_slice(), &[7; 100_000]].concat());
        let mut out = BytesMut::new();
        let skip = renamed(client_head(&whole).unwrap().unwrap(), &whole[..20], b"n", &mut out).unwrap();
        out.put_slice(&whole[skip..]);
        assert_eq!(out, frame(b'B', &[b"\0n\0".as_slice(), &[7; 100_000]].concat())[..]);
    }

    #[test]
    fn a_message_that_would_become_too_long_is_none() {
        let head = Head { code: b'B', size: LENGTH_MAX + 1 };
        assert_eq!(renamed(head, b"B\x3f\xff\xff\xff\0a\0", b"longer", &mut BytesMut::new()), None);
        assert!(renamed(head, b"B\x3f\xff\xff\xff\0a\0", b"b", &mut BytesMut::new()).is_some());
    }

    #[test]
    fn messages_tell_what_they_ask() {
        let read = |code, body: &[u8]| {
            let frame = frame(code, body);
            format!("{:?}", asked(client_head(&frame).unwrap().unwrap(), &frame))
        };
        assert!(read(b'P', b"a\0SELECT\0\0\0").starts_with("Ok(Parse { name: [97], body: Some("));
        assert_eq!(read(b'B', b"\0a\0"), "Ok(Bind { statement: [97] })");
        assert_eq!(read(b'D', b"P\0"), "Ok(DescribePortal)");
        assert_eq!(read(b'C', b"Sa\0"), "Ok(Close { statement: [97] })");
        assert!(read(b'P', b"a").starts_with("Err"));
        let cut = Head { code: b'P', size: 900 };
        assert_eq!(asked(cut, b"P\0\0\0\0a\0SEL"), Ok(Asked::Parse { name: b"a", body: None }));
    }
}
