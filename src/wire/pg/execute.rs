//! `EXECUTE name` and `EXPLAIN … EXECUTE name`: the statements by which SQL runs what was prepared by the protocol.
//!
//! Source: PostgreSQL manual, "EXECUTE" and "EXPLAIN"; "SQL Syntax", identifiers.

use std::borrow::Cow;
use std::ops::Range;

use super::code::client;
use super::deallocate::{folded, is_of_name, unquoted};
use super::frame::HEAD;
use super::rename::Asked;
use crate::wire::Head;

/// A text that runs a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed<'t> {
    /// The statement, without quotes.
    pub name: Cow<'t, [u8]>,
    /// What follows the text in its message, from the NUL on: of a Parse, the types.
    pub rest: &'t [u8],
    text: &'t [u8],
    /// Where the name stands.
    at: Range<usize>,
}

impl Executed<'_> {
    /// The text with the name of another statement, which is quoted as it is.
    pub fn renamed(&self, name: &[u8]) -> Vec<u8> {
        let (before, behind) = (self.text.get(..self.at.start), self.text.get(self.at.end..));
        [before.unwrap_or_default(), b"\"", name, b"\"", behind.unwrap_or_default()].concat()
    }

    /// True where nothing stands behind the statement, and so no other one.
    pub fn is_alone(&self) -> bool {
        let text = self.text.trim_ascii_end();
        !text.strip_suffix(b";").unwrap_or(text).contains(&b';')
    }
}

/// May a text that begins with this run a prepared statement?
pub const fn may_execute(first: u8) -> bool {
    first.eq_ignore_ascii_case(&b'e')
}

/// The statement that a whole Query or Parse runs by SQL, as drivers and people write it: a text that begins with something else, as a
/// comment, is not looked at, nor are names with Unicode escapes.
pub fn executed<'t>(asked: Asked<'t>, head: Head, frame: &'t [u8]) -> Option<Executed<'t>> {
    let body = match asked {
        Asked::Parse { body: Some(body), .. } => body,
        Asked::Query if head.code == client::QUERY => frame.get(HEAD..)?,
        _ => return None,
    };
    // Nearly every text ends here.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !may_execute(*first) || u64::try_from(frame.len()).ok()? != head.size {
        return None;
    }
    let end = body.iter().position(|&byte| byte == 0)?;
    let (text, rest) = body.split_at_checked(end)?;
    let at = name(text)?;
    let written = text.get(at.clone())?;
    let name = match written.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted.strip_suffix(b"\"")?),
        None => folded(written),
    }?;
    Some(Executed { name, rest, text, at })
}

/// Where the name stands.
fn name(text: &[u8]) -> Option<Range<usize>> {
    let mut words = Words { text, at: 0 };
    if words.takes(b"explain") {
        if !words.takes_options() {
            while words.takes(b"analyze") || words.takes(b"analyse") || words.takes(b"verbose") {}
        }
        if !words.takes(b"execute") {
            return None;
        }
    } else if !words.takes(b"execute") {
        return None;
    }
    words.name()
}

/// Reads a text from its beginning.
struct Words<'t> {
    text: &'t [u8],
    at: usize,
}

impl Words<'_> {
    fn rest(&mut self) -> &[u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blank = rest.len().saturating_sub(rest.trim_ascii_start().len());
        self.at = self.at.saturating_add(blank);
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes a word, if it comes next.
    fn takes(&mut self, word: &[u8]) -> bool {
        let Some((first, behind)) = self.rest().split_at_checked(word.len()) else { return false };
        let is_next = first.eq_ignore_ascii_case(word) && !behind.first().is_some_and(is_of_name);
        if is_next {
            self.at = self.at.saturating_add(word.len());
        }
        is_next
    }

    /// Takes options in parentheses, if they come next.
    fn takes_options(&mut self) -> bool {
        let rest = self.rest();
        if !rest.starts_with(b"(") {
            return false;
        }
        let Some(end) = rest.iter().position(|&byte| byte == b')') else { return false };
        self.at = self.at.saturating_add(end).saturating_add(1);
        true
    }

    /// The name that comes next, with its quotes; nothing but parentheses, blanks or the end may follow.
    fn name(&mut self) -> Option<Range<usize>> {
        let rest = self.rest();
        let size = match rest.strip_prefix(b"\"") {
            Some(quoted) => quoted_size(quoted)?.checked_add(1)?,
            None => rest.iter().position(|byte| !is_of_name(byte)).unwrap_or(rest.len()),
        };
        let follows = rest.get(size);
        let ends = follows.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'(' | b';'));
        (size > 0 && ends).then(|| self.at..self.at.saturating_add(size))
    }
}

/// How long a name is up to its last quote, with that: two of them stand for one.
fn quoted_size(name: &[u8]) -> Option<usize> {
    let mut bytes = name.iter().enumerate().peekable();
    while let Some((at, &byte)) = bytes.next() {
        if byte == b'"' && bytes.next_if(|(_, next)| **next == b'"').is_none() {
            return at.checked_add(1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::frame::client_head;
    use super::super::refusal::message;
    use super::super::rename::asked;
    use super::*;

    /// Name and text with another one, of a Query.
    fn read(sql: &str) -> Option<(String, String, bool)> {
        let mut frame = bytes::BytesMut::new();
        message(b'Q', &[sql.as_bytes(), b"\0"].concat(), &mut frame);
        let head = client_head(&frame).unwrap().unwrap();
        let executed = executed(asked(head, &frame).unwrap(), head, &frame)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some((text(&executed.name), text(&executed.renamed(b"N")), executed.is_alone()))
    }

    #[test]
    fn a_name_is_found_and_exchanged() {
        let table: [(&str, &str, &str); 12] = [
            ("EXECUTE a1", "a1", "EXECUTE \"N\""),
            ("execute a1;", "a1", "execute \"N\";"),
            (" \n Execute\t_Pg3_0 (1, 'x')", "_pg3_0", " \n Execute\t\"N\" (1, 'x')"),
            ("EXECUTE \"A \"\"q\"\"\"(1)", "A \"q\"", "EXECUTE \"N\"(1)"),
            ("EXECUTE\"a\"", "a", "EXECUTE\"N\""),
            ("EXECUTE a(NULL, NULL)", "a", "EXECUTE \"N\"(NULL, NULL)"),
            ("EXPLAIN EXECUTE a", "a", "EXPLAIN EXECUTE \"N\""),
            ("explain analyze verbose execute a(1)", "a", "explain analyze verbose execute \"N\"(1)"),
            (
                "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE s_1(NULL)",
                "s_1",
                "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE \"N\"(NULL)",
            ),
            ("EXPLAIN(COSTS off)EXECUTE s", "s", "EXPLAIN(COSTS off)EXECUTE \"N\""),
            ("EXECUTE a /* why */", "a", "EXECUTE \"N\" /* why */"),
            ("EXECUTE execute", "execute", "EXECUTE \"N\""),
        ];
        for (sql, name, renamed) in table {
            assert_eq!(read(sql), Some((name.to_owned(), renamed.to_owned(), true)), "{sql}");
        }
        for sql in ["EXECUTE a; SELECT 1", "EXECUTE a(';')", "EXECUTE a; ;"] {
            assert!(read(sql).is_some_and(|(_, _, alone)| !alone), "{sql}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for sql in [
            "",
            "EXECUTE",
            "EXECUTE ",
            "EXECUTED a",
            "EXECUTE_a",
            "EXECUTE 1a",
            "EXECUTE \"\"",
            "EXECUTE \"a",
            "EXECUTE U&\"a\"",
            "EXECUTE a.b",
            "EXPLAIN SELECT 1",
            "EXPLAIN (VERBOSE EXECUTE a",
            "EXPLAIN ANALYZE",
            "END",
            "SELECT 1",
            "CREATE TABLE t AS EXECUTE a",
        ] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_parse_is_read_with_its_types_and_what_is_not_at_hand_is_not() {
        let mut frame = bytes::BytesMut::new();
        message(b'P', b"s\0EXECUTE a\0\0\x01\0\0\0\x17", &mut frame);
        let head = client_head(&frame).unwrap().unwrap();
        let found = executed(asked(head, &frame).unwrap(), head, &frame).unwrap();
        assert_eq!((&*found.name, found.rest), (&b"a"[..], &b"\0\0\x01\0\0\0\x17"[..]));
        let cut = Head { size: head.size + 1, ..head };
        assert_eq!(executed(asked(cut, &frame).unwrap(), cut, &frame), None);
        assert_eq!(executed(Asked::Sync, head, &frame), None);
    }
}
