//! The items of a list: counted, and kept in the shape only where they say more than the item before.

use super::Marks;
use super::frame::{Frame, FrameKind};
use super::keyword::Word;
use super::state::{Last, Lexer};

/// Most items of a list that are kept beside the first.
const KEPT_MAX: u8 = 8;

/// What is kept of a list: as in its frame.
#[derive(Debug, Clone, Copy)]
struct Kept {
    keep: usize,
    mark: usize,
    kept: u8,
}

impl Lexer<'_> {
    /// A comma in a list: an item ends.
    pub(super) fn next_item(&mut self) {
        let (end, depth) = (self.out.shape.len(), self.frames.len());
        let Some(list) = self.frames.last_mut() else { return };
        list.items = list.items.saturating_add(1);
        if list.items == 1 {
            list.keep = end;
            if self.list == 0 {
                self.list = depth;
                self.listed = false;
            }
            return;
        }
        let list = *list;
        let kept = self.end_item(&list, depth);
        if let Some(list) = self.frames.last_mut() {
            (list.keep, list.mark, list.kept) = (kept.keep, kept.mark, kept.kept);
        }
    }

    /// A list closes: its items are counted, and what its last one says is kept.
    pub(super) fn close_list(&mut self, frame: &Frame) {
        let items = frame.items.saturating_add(1);
        let counts = &mut self.piece.counts;
        match frame.kind {
            FrameKind::List => counts.in_items = counts.in_items.max(items),
            // Every element of every array inside stands for a row.
            FrameKind::RowArray => {
                counts.array_elements = counts.array_elements.max(items.saturating_add(frame.inside));
                let inside = frame.items.saturating_add(frame.inside);
                if let Some(around) = self.frames.last_mut().filter(|around| around.kind == FrameKind::RowArray) {
                    around.inside = around.inside.saturating_add(inside);
                }
            }
            FrameKind::Array => {}
            _ => return,
        }
        if frame.items > 0 {
            self.end_item(frame, self.frames.len() + 1);
        }
        if self.frames.len() < self.list {
            self.list = 0;
        }
    }

    /// An item behind the first of a list ends, which is the frame at `depth`: what is kept of the list after it. A value is
    /// dropped, and so is what is written like the item before it; anything else says more than the first item does.
    fn end_item(&mut self, list: &Frame, depth: usize) -> Kept {
        let kept = Kept { keep: list.keep, mark: list.mark, kept: list.kept };
        if !self.listed {
            self.cut(list.keep);
            return kept;
        }
        let outermost = self.list == depth;
        if outermost {
            self.listed = false;
        }
        let shape = &self.out.shape;
        let end = shape.len();
        let (before, item) = (shape.get(list.mark..list.keep), shape.get(list.keep..end));
        let same = match (before, item) {
            (Some(before), Some(item)) => before.trim_ascii() == item.strip_prefix(b",").unwrap_or(item).trim_ascii(),
            _ => false,
        };
        if outermost && !same && list.kept < KEPT_MAX {
            return Kept { keep: end, mark: list.keep + 1, kept: list.kept + 1 };
        }
        if !same {
            self.piece.marks.set(Marks::LISTED);
        }
        self.cut(list.keep);
        kept
    }

    /// Notes a word in a list behind its first item, unless it only names the type of a value.
    #[cold]
    pub(super) fn listed_word(&mut self, word: Word, shape: usize) {
        const INEXACT: &[&[u8]] =
            &[b"char", b"character", b"float", b"float4", b"float8", b"real", b"double", b"bpchar"];
        let constant = matches!(word, Word::Null | Word::True | Word::False | Word::Default);
        let type_name =
            self.last == Last::Cast && self.out.shape.get(shape..).is_some_and(|name| !INEXACT.contains(&name));
        self.listed |= !constant && !type_name;
    }
}
