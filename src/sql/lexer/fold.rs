//! Texts of very many statements: those of one shape are counted as one, and what is beyond every bound as one more.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::state::Lexer;
use super::statement::Close;
use super::{Counts, Limit, LimitAt, Marks, PIECES_MAX, PIECES_SINGLE, Piece, SHAPE_BYTES_SINGLE};
use crate::sql::verb::Verb;

/// The statements that were kept, by their shape.
#[derive(Debug, Default)]
pub(super) struct Fold {
    hasher: RandomState,
    /// Places in the pieces, by the hash of the shape. Two shapes of one hash are not mistaken for each other: the bytes are
    /// compared, and the later one is kept on its own.
    places: HashMap<u64, usize>,
}

impl Lexer<'_> {
    /// Keeps the statement that was just read: on its own, with others of its shape, or with all that are too many.
    pub(super) fn keep_piece(&mut self, close: Close) {
        let piece = std::mem::take(&mut self.piece);
        let few = self.out.pieces.len() - self.first_piece < PIECES_SINGLE && self.before < SHAPE_BYTES_SINGLE;
        // Whoever reads only the beginning of a text looks for its end in the last piece.
        if few || close == Close::Text {
            self.out.pieces.push(piece);
            return;
        }
        let fold = self.fold.take().unwrap_or_else(|| self.begin_fold());
        self.fold = Some(self.fold_piece(fold, piece));
    }

    fn begin_fold(&self) -> Box<Fold> {
        let mut fold = Box::<Fold>::default();
        for (place, piece) in self.out.pieces.iter().enumerate().skip(self.first_piece) {
            let hash = fold.hasher.hash_one(self.shape_of(piece));
            fold.places.entry(hash).or_insert(place);
        }
        fold
    }

    fn shape_of(&self, piece: &Piece) -> &[u8] {
        self.out.shape.get(piece.shape.clone()).unwrap_or_default()
    }

    fn fold_piece(&mut self, mut fold: Box<Fold>, piece: Piece) -> Box<Fold> {
        let hash = fold.hasher.hash_one(self.shape_of(&piece));
        if let Some(&place) = fold.places.get(&hash)
            && self.alike(place, &piece)
        {
            self.merge(place, &piece);
            self.forget_shape(&piece);
        } else if self.out.pieces.len() < self.first_piece + PIECES_MAX {
            fold.places.entry(hash).or_insert(self.out.pieces.len());
            self.out.pieces.push(piece);
        } else {
            self.forget_shape(&piece);
            self.add_to_rest(piece);
        }
        fold
    }

    /// True where no rule could tell the two apart but by their counts and limits.
    fn alike(&self, place: usize, piece: &Piece) -> bool {
        let Some(kept) = self.out.pieces.get(place) else { return false };
        let what = |piece: &Piece| (piece.verb, piece.inner, piece.wrap, piece.marks);
        let kinds = |piece: &Piece| self.limits_of(piece).iter().map(|at| std::mem::discriminant(&at.limit));
        !piece.marks.has(Marks::CUT)
            && what(kept) == what(piece)
            && self.shape_of(kept) == self.shape_of(piece)
            && kinds(kept).eq(kinds(piece))
    }

    fn limits_of(&self, piece: &Piece) -> &[LimitAt] {
        self.out.limits.get(piece.limits.clone()).unwrap_or_default()
    }

    /// Counts a statement with the one of its shape that was kept, whose limits become the larger ones.
    fn merge(&mut self, place: usize, piece: &Piece) {
        let own = piece.limits.start.min(self.out.limits.len());
        let (before, own) = self.out.limits.split_at_mut(own);
        let Some(kept) = self.out.pieces.get_mut(place) else { return };
        let limits = before.get_mut(kept.limits.clone()).unwrap_or_default();
        for (kept, own) in limits.iter_mut().zip(own) {
            if let (Limit::Rows(rows), Limit::Rows(more)) = (kept.limit, own.limit) {
                kept.limit = Limit::Rows(rows.max(more));
            }
        }
        kept.text.end = piece.text.end;
        kept.counts = together(kept, piece);
    }

    fn forget_shape(&mut self, piece: &Piece) {
        self.out.shape.truncate(self.before);
        self.out.limits.truncate(piece.limits.start);
        self.out.arrays.truncate(piece.arrays.start);
    }

    /// Counts a statement with all others that nobody keeps.
    fn add_to_rest(&mut self, mut piece: Piece) {
        let shape = self.out.shape.len();
        let (limits, arrays) = (self.out.limits.len(), self.out.arrays.len());
        piece.marks.set(Marks::CUT);
        if matches!(piece.inner, Verb::Update | Verb::Delete) || piece.marks.has(Marks::CTE_WRITES) {
            piece.marks.set(Marks::CUT_WRITES);
        }
        if piece.inner == Verb::Truncate {
            piece.marks.set(Marks::CUT_TRUNCATE);
        }
        let Some(rest) = self.out.pieces.get_mut(self.first_piece + PIECES_MAX) else {
            let (limits, arrays) = (limits..limits, arrays..arrays);
            self.out.pieces.push(Piece { shape: shape..shape, body: shape, limits, arrays, ..piece });
            return;
        };
        rest.counts = together(rest, &piece);
        rest.text.end = piece.text.end;
        rest.marks.set(piece.marks);
        if piece.writes() && !rest.writes() {
            (rest.verb, rest.inner, rest.wrap) = (piece.verb, piece.inner, piece.wrap);
        }
    }
}

/// The counts of two statements that are counted as one.
fn together(kept: &Piece, piece: &Piece) -> Counts {
    let (a, b) = (kept.counts, piece.counts);
    Counts {
        tuples: a.tuples.max(b.tuples),
        in_items: a.in_items.max(b.in_items),
        case_arms: a.case_arms.max(b.case_arms),
        array_elements: a.array_elements.max(b.array_elements),
        folded: rows(kept).saturating_add(rows(piece)),
    }
}

/// Rows that a statement carries, or those that it was folded with; at least one where it writes.
fn rows(piece: &Piece) -> u32 {
    if piece.writes() { piece.counts.largest().max(1) } else { piece.counts.folded }
}
