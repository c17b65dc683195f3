//! `DEALLOCATE name`: the one statement by which SQL ends what was prepared by the protocol.
//!
//! Source: PostgreSQL manual, "DEALLOCATE"; "SQL Syntax", identifiers.

use std::borrow::Cow;

use super::code::client;
use super::frame::HEAD;
use crate::wire::Head;
use crate::wire::reader::Reader;

/// The text of a Query, or of a Parse without a name, as far as it is at hand.
pub fn text(head: Head, frame: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(frame.get(HEAD..)?);
    match head.code {
        client::QUERY => reader.cstr().ok(),
        client::PARSE if reader.cstr().ok()?.is_empty() => reader.cstr().ok(),
        _ => None,
    }
}

/// The prepared statement that a text ends, where it does nothing else: `DEALLOCATE [PREPARE] name`, as drivers write it.
/// Nothing is found in texts with comments, nor in names with Unicode escapes.
pub fn deallocated(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    // Nearly every text ends here.
    let text = text.trim_ascii_start();
    if !text.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'd')) {
        return None;
    }
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b";").unwrap_or(text).trim_ascii_end();
    let rest = behind(text, b"deallocate")?;
    let name = behind(rest, b"prepare").unwrap_or(rest);
    match name.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted.strip_suffix(b"\"")?),
        None => folded(name).filter(|name| **name != *b"all"),
    }
}

/// What stands behind a word.
fn behind<'t>(text: &'t [u8], word: &[u8]) -> Option<&'t [u8]> {
    let (first, rest) = text.split_at_checked(word.len())?;
    let ends = rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'"');
    (first.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_ascii_start())
}

/// A name between its quotes.
pub(super) fn unquoted(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !name.contains(&b'"') {
        return (!name.is_empty()).then_some(Cow::Borrowed(name));
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' && bytes.next() != Some(&b'"') {
            return None;
        }
        plain.push(byte);
    }
    Some(Cow::Owned(plain))
}

/// An identifier without quotes is in lower case. Letters beyond ASCII are left alone, as by servers whose encoding is UTF-8.
pub(super) fn folded(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !name.first().is_some_and(begins_name) || !name.iter().all(is_of_name) {
        return None;
    }
    if name.iter().any(u8::is_ascii_uppercase) {
        Some(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Some(name.into())
    }
}

fn begins_name(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || *byte == b'_' || !byte.is_ascii()
}

/// May it stand in a name without quotes?
pub(super) fn is_of_name(byte: &u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit() || *byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::super::frame::client_head;
    use super::super::refusal::message;
    use super::*;

    #[test]
    fn one_name_is_found_as_drivers_write_it() {
        let table: [(&str, &str); 11] = [
            ("DEALLOCATE a1", "a1"),
            ("deallocate a1;", "a1"),
            (" \n Deallocate\tPrepare\n  a1 ; ", "a1"),
            ("DEALLOCATE \"_pg3_0\"", "_pg3_0"),
            ("DEALLOCATE PREPARE \"A \"\"quoted\"\" one\"", "A \"quoted\" one"),
            ("DEALLOCATE\"a\"", "a"),
            ("DEALLOCATE Pdo_Stmt_00000001", "pdo_stmt_00000001"),
            ("DEALLOCATE prepare", "prepare"),
            ("DEALLOCATE \"all\"", "all"),
            ("DEALLOCATE \"prepare\"", "prepare"),
            ("DEALLOCATE prepared", "prepared"),
        ];
        for (sql, name) in table {
            assert_eq!(deallocated(sql.as_bytes()).as_deref(), Some(name.as_bytes()), "{sql}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for sql in [
            "",
            "DEALLOCATE",
            "DEALLOCATE ALL",
            "DEALLOCATE PREPARE ALL",
            "DEALLOCATE a; SELECT 1",
            "DEALLOCATE a; DEALLOCATE b",
            "DEALLOCATE \"a\"; DEALLOCATE \"b\"",
            "DEALLOCATE a /* why */",
            "DEALLOCATE a b",
            "DEALLOCATE 1a",
            "DEALLOCATE \"\"",
            "DEALLOCATE \"a",
            "DEALLOCATE U&\"a\"",
            "DEALLOCATED a",
            "DISCARD ALL",
            "SELECT 1",
        ] {
            assert_eq!(deallocated(sql.as_bytes()), None, "{sql}");
        }
    }

    #[test]
    fn texts_of_queries_and_of_statements_without_a_name_are_read() {
        for (code, body, expected) in [
            (b'Q', &b"SELECT 1\0"[..], Some(&b"SELECT 1"[..])),
            (b'P', b"\0SELECT 2\0\0\0", Some(b"SELECT 2")),
            (b'P', b"named\0SELECT 3\0\0\0", None),
            (b'B', b"\0\0\0\0\0\0\0\0", None),
            (b'Q', b"cut o", None),
        ] {
            let mut frame = bytes::BytesMut::new();
            message(code, body, &mut frame);
            assert_eq!(text(client_head(&frame).unwrap().unwrap(), &frame), expected);
        }
    }
}
