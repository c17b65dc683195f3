//! Quoted names.

use super::keyword::Word;
use super::state::Lexer;
use super::{Marks, NAME_BYTES_MAX, scan};

impl Lexer<'_> {
    pub(super) fn quoted_name(&mut self, from: usize) {
        let end = scan::quoted_name(self.text, from);
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.gap();
        let shape = self.out.shape.len();
        let unicode = self.text[self.at] != b'"';
        let escape = if unicode { scan::escape_clause(self.text, end.at) } else { None };
        if unicode {
            self.unicode_name(from, end, escape.map_or(b'\\', |clause| clause.character));
        } else if end.at - self.at > NAME_BYTES_MAX {
            self.long_name(from, b'"');
        } else {
            self.out.shape.extend_from_slice(&self.text[self.at..end.at]);
        }
        self.at = escape.map_or(end.at, |clause| clause.end);
        let key = matches!(&self.out.shape[shape..], b"\"id\"" | b"\"pk\"");
        self.name(if key { Word::Key } else { Word::Plain });
    }

    /// Puts `U&"…"` as the plain quoted name that it stands for, so that no table hides behind an escape.
    fn unicode_name(&mut self, from: usize, end: scan::End, escape: u8) {
        let inside = &self.text[from..end.at - usize::from(end.closed)];
        let inside = inside.get(..NAME_BYTES_MAX).unwrap_or(inside);
        self.out.shape.push(b'"');
        unescape(inside, escape, &mut self.out.shape);
        self.out.shape.push(b'"');
    }

    /// `UESCAPE '!'` belongs to the literal before it.
    pub(super) fn skip_escape_clause(&mut self) {
        if let Some(clause) = scan::escape_clause(self.text, self.at) {
            self.at = clause.end;
            self.piece.text.end = clause.end;
        }
    }

    /// Puts the beginning of a name that no server tells apart from others that begin so. Quotes in it are left out: half of
    /// a doubled one would end the name.
    pub(super) fn long_name(&mut self, from: usize, quote: u8) {
        let inside = self.text[from..from + NAME_BYTES_MAX - 2].iter().filter(|&&byte| !matches!(byte, b'"' | b'`'));
        self.out.shape.push(quote);
        self.out.shape.extend(inside);
        self.out.shape.push(quote);
    }
}

/// Appends the content of `U&"…"` with its escapes resolved.
fn unescape(mut content: &[u8], escape: u8, out: &mut Vec<u8>) {
    while let Some((&byte, rest)) = content.split_first() {
        let digits = match rest.first() {
            Some(b'+') if byte == escape => rest.get(1..7),
            Some(_) if byte == escape => rest.get(..4),
            _ => None,
        };
        let decoded = digits.and_then(|digits| code_point(digits).map(|c| (c, digits.len() + digits.len() / 6)));
        content = rest;
        match decoded {
            Some((c, skip)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                content = rest.get(skip..).unwrap_or_default();
            }
            None => out.push(byte),
        }
    }
}

fn code_point(digits: &[u8]) -> Option<char> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    // A quote would end the name early: it stays escaped, and the name stays unknown.
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|c| *c != '"')
}
