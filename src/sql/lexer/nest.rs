//! Parentheses, brackets and CASE: lists are counted here and keep only their first item.

use super::NEST_MAX;
use super::frame::{Frame, FrameKind, NONE, Place, Tuples};
use super::keyword::Word;
use super::pair::Pair;
use super::state::{Last, Lexer};
use crate::sql::dialect::Dialect;

impl Lexer<'_> {
    /// The innermost frame. There always is one while a statement is read.
    pub(super) fn top(&self) -> &Frame {
        if self.deep > 0 { &Frame::STATEMENT } else { self.frames.last().unwrap_or(&Frame::STATEMENT) }
    }

    /// The innermost frame; `None` where it is too deep to be told apart.
    pub(super) fn top_mut(&mut self) -> Option<&mut Frame> {
        if self.deep > 0 { None } else { self.frames.last_mut() }
    }

    /// How many frames are open.
    pub(super) fn depth(&self) -> usize {
        self.frames.len() + self.deep
    }

    fn open(&mut self, frame: Frame) {
        if self.frames.len() < NEST_MAX {
            self.frames.push(frame);
        } else {
            self.deep += 1;
        }
    }

    /// Closes the innermost frame, but never the statement; `None` where there is none or it is too deep.
    fn close(&mut self) -> Option<Frame> {
        if self.deep > 0 {
            self.deep -= 1;
            return None;
        }
        if self.frames.len() > 1 { self.frames.pop() } else { None }
    }

    /// Counts an item of whatever is open where lists are no longer told apart: rather too many than too few.
    fn deep_item(&mut self) {
        self.deep_items = self.deep_items.saturating_add(1);
        let items = self.deep_items.saturating_add(1);
        self.piece.counts.in_items = self.piece.counts.in_items.max(items);
    }

    /// What a literal would be after the last token.
    pub(super) fn place(&self) -> Place {
        let before = if self.last == Last::Word(Word::Cast) { self.before_last } else { self.last };
        match before {
            Last::Word(Word::Where | Word::And | Word::Or | Word::Not) => Place::Truth,
            Last::Word(Word::Having | Word::On) if self.mysql.dialect == Dialect::MySql => Place::Truth,
            Last::Open => self.top().place,
            _ => Place::Other,
        }
    }

    pub(super) fn open_paren(&mut self) {
        let kind = self.paren_kind();
        let place = self.place();
        match self.last {
            Last::Word(Word::Plain | Word::Key | Word::Type | Word::Unnest | Word::Cast) | Last::Name => {}
            _ => self.gap(),
        }
        self.put(b"(");
        self.at += 1;
        self.head_paren();
        self.open(match kind {
            FrameKind::List => Frame::starting(kind, place, self.out.shape.len()),
            _ => Frame::new(kind, place),
        });
        self.token(Last::Open);
        self.pair = self.pair.opened();
    }

    fn paren_kind(&self) -> FrameKind {
        let top = self.top();
        match self.last {
            Last::Word(Word::In) => FrameKind::List,
            Last::Word(Word::Any | Word::All | Word::Unnest) => FrameKind::Rows,
            Last::Open | Last::Word(Word::Cast) if top.kind == FrameKind::Rows => FrameKind::Rows,
            Last::Word(Word::Type) => FrameKind::Size,
            Last::Word(Word::Values) if top.tuples == Tuples::Expected => FrameKind::Tuple,
            Last::Comma if top.tuples == Tuples::Read => FrameKind::Tuple,
            _ => FrameKind::Group,
        }
    }

    pub(super) fn close_paren(&mut self) {
        if self.stands_at_body() {
            self.at += 1;
            return;
        }
        while self.frames.len() > 1 && self.top().kind == FrameKind::Case {
            self.frames.pop();
        }
        let frame = self.close();
        // What stands alone in parentheses is compared like without them.
        if !matches!(self.last, Last::Value | Last::Text | Last::Close | Last::Name | Last::Word(Word::Key)) {
            self.pair = Pair::None;
        }
        if let Some(frame) = frame {
            self.close_list(&frame);
        }
        self.put(b")");
        self.at += 1;
        self.token(Last::Close);
        self.limit_next = false;
        if frame.is_some_and(|frame| frame.kind == FrameKind::Tuple) {
            self.close_tuple();
        }
    }

    fn close_tuple(&mut self) {
        let end = self.out.shape.len();
        let Some(parent) = self.top_mut() else { return };
        parent.tuples = Tuples::Read;
        parent.tuple_count = parent.tuple_count.saturating_add(1);
        let (count, keep) = (parent.tuple_count, parent.tuple_keep);
        if count == 1 {
            parent.tuple_keep = end;
        } else {
            self.cut(keep);
        }
        let together = self.tuples_before.saturating_add(count);
        self.piece.counts.tuples = self.piece.counts.tuples.max(together);
    }

    pub(super) fn open_bracket(&mut self) {
        let top = self.top().kind;
        let nested = matches!(top, FrameKind::Array | FrameKind::RowArray);
        let kind = match self.last {
            Last::Word(Word::Array) if top == FrameKind::Rows => FrameKind::RowArray,
            Last::Word(Word::Array) => FrameKind::Array,
            Last::OpenBracket | Last::Comma if nested => top,
            _ => FrameKind::Index,
        };
        let list = matches!(kind, FrameKind::Array | FrameKind::RowArray);
        // A subscript, or the type of an array, which holds many values.
        self.listed |= self.list > 0 && !list;
        if matches!(self.last, Last::Comma | Last::Operator | Last::Compare) {
            self.gap();
        }
        self.put(b"[");
        self.at += 1;
        self.open(match list {
            true => Frame::starting(kind, Place::Other, self.out.shape.len()),
            false => Frame::new(kind, Place::Other),
        });
        self.token(Last::OpenBracket);
        self.pair = Pair::None;
        self.limit_next = false;
    }

    pub(super) fn close_bracket(&mut self) {
        let bracket = matches!(self.top().kind, FrameKind::Array | FrameKind::RowArray | FrameKind::Index)
            && self.frames.len() > 1;
        if (bracket || self.deep > 0)
            && let Some(frame) = self.close()
        {
            self.close_list(&frame);
        }
        self.put(b"]");
        self.at += 1;
        self.token(Last::CloseBracket);
        self.pair = Pair::None;
        self.limit_next = false;
    }

    #[inline(always)]
    pub(super) fn comma(&mut self) {
        if self.deep > 0 {
            self.deep_item();
        } else if matches!(self.top().kind, FrameKind::List | FrameKind::Array | FrameKind::RowArray) {
            self.next_item();
        }
        self.put(b",");
        self.at += 1;
        self.token(Last::Comma);
        self.pair = Pair::None;
        self.limit_next = false;
    }

    pub(super) fn open_case(&mut self) {
        // One that is too deep is not opened: what closes a parenthesis would have to know of it.
        if self.deep == 0 && self.frames.len() < NEST_MAX {
            self.frames.push(Frame::new(FrameKind::Case, Place::Other));
        }
    }

    /// An arm of the innermost CASE begins with the word at `word` in the shape.
    pub(super) fn case_arm(&mut self, word: usize) {
        if self.top().kind != FrameKind::Case {
            if self.depth() >= NEST_MAX {
                self.deep_item();
            }
            return;
        }
        let begins = self.close_arm(word);
        if let Some(top) = self.frames.last_mut() {
            top.keep = begins;
            top.items = top.items.saturating_add(1);
            self.piece.counts.case_arms = self.piece.counts.case_arms.max(top.items);
        }
    }

    /// ELSE ends the arms of the innermost CASE.
    pub(super) fn case_else(&mut self, word: usize) {
        if self.top().kind != FrameKind::Case {
            return;
        }
        self.close_arm(word);
        if let Some(top) = self.frames.last_mut() {
            top.keep = NONE;
        }
    }

    /// END closes the innermost CASE, or else a body of `BEGIN ATOMIC`.
    pub(super) fn case_end(&mut self, word: usize) {
        if self.top().kind == FrameKind::Case {
            self.close_arm(word);
            self.frames.pop();
        } else if self.depth() < NEST_MAX {
            self.atomic = self.atomic.saturating_sub(1);
        }
    }

    /// Ends the arm being read before the word at `word`, drops it where it is like the one before, and tells where
    /// the word stands then.
    fn close_arm(&mut self, word: usize) -> usize {
        let Some(top) = self.frames.last_mut() else { return word };
        let (mark, keep) = (top.mark, top.keep);
        if keep == NONE {
            return word;
        }
        let shape = &mut self.out.shape;
        let (before, arm) = (shape.get(mark..keep), shape.get(keep..word));
        // An arm that was not kept is like no other.
        if mark == NONE || arm.is_none() || before != arm {
            top.mark = keep;
            return word;
        }
        shape.drain(keep..word);
        self.out.forget_values(keep);
        keep
    }
}
