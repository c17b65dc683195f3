//! The readings of a text: as the session's server reads it, and beside that whatever else it may come to.

use std::ops::Range;

use super::{Comments, scan};
use crate::sql::dialect::{Flags, Strings};
use crate::sql::lexer::state::Lexer;
use crate::sql::lexer::{Lexed, Marks, Piece, Wrap};

/// Where a reading begins in what was read.
#[derive(Debug, Clone, Copy)]
struct Place {
    shape: usize,
    pieces: usize,
    limits: usize,
    arrays: usize,
}

impl Place {
    fn end_of(out: &Lexed) -> Self {
        Self { shape: out.shape.len(), pieces: out.pieces.len(), limits: out.limits.len(), arrays: out.arrays.len() }
    }

    fn take_back(self, out: &mut Lexed) {
        out.shape.truncate(self.shape);
        out.pieces.truncate(self.pieces);
        out.limits.truncate(self.limits);
        out.arrays.truncate(self.arrays);
    }
}

/// Reads a text in every way that matters, and what its PREPAREs name likewise.
pub(super) fn read(flags: Flags, text: &[u8], out: &mut Lexed) {
    for at in read_ways(flags, text, out) {
        read_prepared(flags, text, at, out);
    }
}

/// Reads a text as its server does, and whatever else it may come to. Returns where it holds other texts.
fn read_ways(flags: Flags, text: &[u8], out: &mut Lexed) -> Vec<Range<usize>> {
    let start = Place::end_of(out);
    let found = pass(flags, text, Comments::AsServer, out);
    if found.executable > 0 {
        if out.pieces.len() == start.pieces {
            out.pieces.push(Piece::default());
        }
        let own = start.pieces..out.pieces.len();
        read_otherwise(flags, text, Comments::All, &own, out);
        read_otherwise(flags, text, Comments::None, &own, out);
    }
    found.prepared
}

/// What a pass over a text found beside its statements.
struct Found {
    executable: usize,
    prepared: Vec<Range<usize>>,
}

fn pass(flags: Flags, text: &[u8], comments: Comments, out: &mut Lexed) -> Found {
    let mut lexer = Lexer::new(flags, text, out);
    lexer.mysql.comments = comments;
    while lexer.mysql_statement() {}
    Found { executable: lexer.mysql.executable, prepared: std::mem::take(&mut lexer.mysql.prepared) }
}

/// Reads the text with other comments; keeps what differs from the first reading.
fn read_otherwise(flags: Flags, text: &[u8], comments: Comments, own: &Range<usize>, out: &mut Lexed) {
    let from = Place::end_of(out);
    pass(flags, text, comments, out);
    if is_same(out, own, from) {
        return from.take_back(out);
    }
    set_aside(out, from);
}

/// True where the reading from `from` on tells nothing that the pieces `own` do not.
fn is_same(out: &Lexed, own: &Range<usize>, from: Place) -> bool {
    let (first, second) = (out.pieces.get(own.clone()), out.pieces.get(from.pieces..));
    let (Some(first), Some(second)) = (first, second) else { return false };
    second.len() <= first.len()
        && second.iter().zip(first).all(|(a, b)| {
            out.shape.get(a.shape.clone()) == out.shape.get(b.shape.clone())
                && (a.verb, a.inner, a.wrap, a.counts) == (b.verb, b.inner, b.wrap, b.counts)
                && values(out, a).eq(values(out, b))
        })
}

fn values<'a>(out: &'a Lexed, piece: &Piece) -> impl Iterator<Item = crate::sql::lexer::Limit> + use<'a> {
    out.limits.get(piece.limits.clone()).unwrap_or_default().iter().map(|at| at.limit)
}

fn set_aside(out: &mut Lexed, from: Place) {
    for piece in out.pieces.iter_mut().skip(from.pieces) {
        piece.marks.set(Marks::ASIDE);
    }
}

/// Reads the text that a PREPARE names, which is a string of the text at `at`.
fn read_prepared(flags: Flags, text: &[u8], at: Range<usize>, out: &mut Lexed) {
    let quote = at.start.checked_sub(1).map_or(b'\'', |before| scan::byte(text, before));
    let statement = unescaped(text.get(at.clone()).unwrap_or_default(), quote, flags.strings);
    let from = Place::end_of(out);
    read_ways(flags, &statement, out);
    for piece in out.pieces.iter_mut().skip(from.pieces) {
        piece.text = at.clone();
        if piece.wrap == Wrap::None {
            piece.wrap = Wrap::Prepare;
        }
    }
    set_aside(out, from);
}

/// What a string in `quote` says.
fn unescaped(content: &[u8], quote: u8, strings: Strings) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content.iter();
    while let Some(&byte) = rest.next() {
        match strings {
            Strings::Escapes if byte == b'\\' => out.extend(rest.next().map(|&next| escaped(next))),
            _ => out.push(byte),
        }
        if byte == quote {
            // Doubled in the text.
            rest.next();
        }
    }
    out
}

/// What a byte behind a backslash stands for.
const fn escaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'b' => 8,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 26,
        other => other,
    }
}
