//! Literals that leave everything in: `a = 5 OR a <> 5`, a pattern that every text matches, a sample of all rows.

use super::keyword::Word;
use super::pair::{Pair, Side};
use super::scalar::{Kind, Scalar};
use super::state::{Last, Lexer};
use super::{NAME_BYTES_MAX, Numbers};
use crate::sql::dialect::Dialect;

impl Lexer<'_> {
    /// A regular expression that every text matches, or `SIMILAR TO '%'`.
    pub(super) fn is_any_text(&self, content: &[u8]) -> bool {
        let follows = |words: &[&[u8]]| words.iter().any(|word| self.out.shape.ends_with(word));
        match content {
            b"" | b"^" | b"$" | b".*" | b"^.*" | b".*$" | b"^.*$" => {
                follows(&[b" ~ ", b" ~* ", b" regexp ", b" rlike "])
            }
            _ => is_percent(content) && follows(&[b" similar to "]),
        }
    }

    /// `TABLESAMPLE SYSTEM (100)`
    pub(super) fn is_whole_sample(&self, scalar: Scalar) -> bool {
        let shape = &self.out.shape;
        (shape.ends_with(b"tablesample system(") || shape.ends_with(b"tablesample bernoulli("))
            && scalar.number(self.text).is_some_and(|share| share >= 100.0)
    }

    /// An OR follows what was compared.
    pub(super) fn note_or(&mut self, pair: Pair) {
        self.before_or = match pair {
            Pair::Left(Side::Literal(scalar, at)) => Some((scalar, at)),
            // `a = 5 OR a IS NULL OR a <> 5`
            Pair::None | Pair::Left(_) | Pair::Compared(_) if self.last == Last::Word(Word::Null) => self.before_or,
            Pair::None | Pair::Left(_) | Pair::Compared(_) => None,
        };
    }

    /// What stands for a literal that a column is compared with where the same column was compared with the same literal
    /// before an OR, the other way round: both then leave the same digit.
    pub(super) fn complemented(&mut self, scalar: Scalar, digits: &'static [u8]) -> &'static [u8] {
        let Some((before, at)) = self.before_or else { return digits };
        let plain = digits == self.marks.value && self.out.shape.get(at..at + 2) == Some(&self.marks.value[..]);
        let (left, right) = (self.out.shape.get(..at), self.out.shape.as_slice());
        if !plain || self.last != Last::Compare || !left.is_some_and(|left| are_opposite(left, right)) {
            return digits;
        }
        self.out.numbers = Numbers::Read;
        if self.same_literal(before, scalar) { self.patch(at, b" 3", b" 3") } else { digits }
    }

    fn same_literal(&self, left: Scalar, right: Scalar) -> bool {
        // Each `?` of MySQL's SQL is a parameter of its own.
        let numbered = left.kind != Kind::Parameter || self.mysql.dialect == Dialect::Postgres;
        (left.kind, left.negative) == (right.kind, right.negative)
            && numbered
            && left.content(self.text) == right.content(self.text)
    }
}

/// `LIKE '%'` and `LIKE '%%'`
pub(super) fn is_percent(content: &[u8]) -> bool {
    !content.is_empty() && content.iter().all(|&byte| byte == b'%')
}

/// True where two shapes end in comparisons of one column, and where one is not true the other is.
fn are_opposite(left: &[u8], right: &[u8]) -> bool {
    let (Some((a, op)), Some((b, other_op))) = (comparison(left), comparison(right)) else { return false };
    let opposite: &[&[u8]] = match op {
        b"=" => &[b"<>", b"!="],
        b"<>" | b"!=" => &[b"="],
        b"<" => &[b">="],
        b">=" => &[b"<"],
        b">" => &[b"<="],
        b"<=" => &[b">"],
        _ => &[],
    };
    a == b && opposite.contains(&other_op)
}

/// The column and the operator that a shape ends in, with the space behind it.
fn comparison(shape: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, op) = last_word(shape.strip_suffix(b" ")?)?;
    Some((last_word(rest)?.1, op))
}

/// What stands behind the last space or parenthesis.
fn last_word(shape: &[u8]) -> Option<(&[u8], &[u8])> {
    // No further back than names are long, however many are joined by dots.
    let far = shape.len().saturating_sub(2 * NAME_BYTES_MAX);
    let begins = far + shape.get(far..)?.iter().rposition(|byte| matches!(byte, b' ' | b'('))?;
    shape.split_at_checked(begins + 1).map(|(rest, word)| (rest.strip_suffix(b" ").unwrap_or(rest), word))
}
