//! What a DO block runs: its body is read in place, as part of the statement, and so is what it passes to EXECUTE whole.
//!
//! The shape has each body in parentheses: `DO $$ BEGIN DELETE FROM t; END $$` is `do (begin delete from t; end)`.

use super::Numbers;
use super::frame::{Frame, FrameKind, Place};
use super::keyword::Word;
use super::pair::Pair;
use super::scan;
use super::state::{Last, Lexer};
use crate::sql::verb::Verb;

/// How deep bodies may nest: a block, what it executes, and a block in that.
const DEPTH_MAX: usize = 3;

/// A body that is being read: what to go back to after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    text: &'a [u8],
    /// Where the text goes on after it.
    at: usize,
    frames: usize,
}

impl<'a> Lexer<'a> {
    /// Enters the string whose content is `content` and whose token ends at `end`, where it is code that runs.
    pub(super) fn enters_body(&mut self, content: std::ops::Range<usize>, end: usize) -> bool {
        let runs = self.bodies.len() < DEPTH_MAX && (self.is_block(end) || self.is_executed(end));
        let Some(inside) = self.text.get(..content.end).filter(|_| runs) else { return false };
        // What tells that it is code was read as bytes.
        self.out.numbers = Numbers::Read;
        self.gap();
        self.put(b"(");
        self.bodies.push(Body { text: self.text, at: end, frames: self.frames.len() });
        self.text = inside;
        self.at = content.start;
        self.frames.push(Frame::new(FrameKind::Group, Place::Other));
        self.token(Last::Open);
        self.pair = Pair::None;
        self.limit_next = false;
        true
    }

    /// Goes on after a body; false where none was being read.
    pub(super) fn leaves_body(&mut self) -> bool {
        let Some(body) = self.bodies.pop() else { return false };
        self.text = body.text;
        // What is left open in it ends with it.
        while self.frames.len() > body.frames {
            match self.top().kind {
                FrameKind::Case => drop(self.frames.pop()),
                FrameKind::Array | FrameKind::RowArray | FrameKind::Index => self.close_bracket(),
                _ => self.close_paren(),
            }
        }
        self.at = body.at;
        self.piece.text.end = body.at;
        true
    }

    /// True where a closing parenthesis would end the body that it stands in: a body ends with its string.
    pub(super) fn stands_at_body(&self) -> bool {
        let inside =
            |body: &Body<'_>| self.frames.iter().skip(body.frames + 1).all(|frame| frame.kind == FrameKind::Case);
        self.bodies.last().is_some_and(inside)
    }

    /// The body of a DO in PL/pgSQL. In other languages quotes mean other things.
    fn is_block(&self, end: usize) -> bool {
        if self.piece.inner != Verb::Call || self.frames.len() > 1 {
            return false;
        }
        let head = self.out.shape.get(self.piece.body..).unwrap_or_default();
        let before = self.text.get(self.piece.text.start..self.at).unwrap_or_default();
        match head {
            b"do" => speaks_plpgsql(self.text, end),
            b"do language plpgsql" | b"do language \"plpgsql\"" => true,
            b"do language $1" => before.to_ascii_lowercase().windows(9).any(|name| name == b"'plpgsql'"),
            _ => false,
        }
    }

    /// `EXECUTE '…'` or `EXECUTE format('…'` in a body, where the string is all of the command.
    fn is_executed(&self, end: usize) -> bool {
        if self.bodies.is_empty() {
            return false;
        }
        let next = scan::blank(self.text, end);
        let follows = self.text.get(next..).unwrap_or_default();
        match self.last {
            Last::Word(Word::Execute) => {
                matches!(follows, [] | [b';', ..]) || begins_with(follows, b"using") || begins_with(follows, b"into")
            }
            Last::Open => self.out.shape.ends_with(b"execute format(") && matches!(follows, [b',' | b')', ..]),
            _ => false,
        }
    }
}

/// True where no other LANGUAGE is named after the body that ends at `end`.
fn speaks_plpgsql(text: &[u8], end: usize) -> bool {
    let keyword = scan::blank(text, end);
    let follows = text.get(keyword..).unwrap_or_default();
    if !begins_with(follows, b"language") {
        return true;
    }
    let name = scan::blank(text, keyword + b"language".len());
    let name = text.get(name..).unwrap_or_default();
    begins_with(name, b"plpgsql") || begins_with(name, b"\"plpgsql\"") || begins_with(name, b"'plpgsql'")
}

fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}
