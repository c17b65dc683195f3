//! What stands for literals and parameters in the shape.

use std::cmp::Ordering;

use super::everything::is_percent;
use super::frame::{FrameKind, Place};
use super::head::Head;
use super::keyword::Word;
use super::pair::{Pair, Side};
use super::scalar::{Kind, Scalar, compare};
use super::state::{Last, Lexer};
use super::{ArrayAt, LIMITS_MAX, Limit, LimitAt, Marks, Numbers};
use crate::sql::array::text_elements;
use crate::sql::dialect::Dialect;
use crate::sql::mask::stands_alone;

impl Lexer<'_> {
    /// Puts what stands for a literal or a parameter that begins at the cursor.
    #[inline(always)]
    pub(super) fn value(&mut self, mut scalar: Scalar) {
        if self.last == Last::Text && scalar.kind == Kind::Text {
            // Adjacent strings are one literal.
            self.at = scalar.end;
            self.piece.text.end = self.at;
            self.pair = Pair::None;
            return;
        }
        self.note_explain_option(scalar);
        if self.limit_next && self.adds_to_limit(scalar) {
            return;
        }
        if self.last == Last::Sign && !self.operand_before_sign() {
            scalar.negative = self.out.shape.last() == Some(&b'-');
            self.cut(self.sign_at);
            self.last = self.before_last;
        }
        self.gap();
        let at = self.out.shape.len();
        self.at = scalar.end;
        if self.limit_next {
            self.keep_limit(LimitAt { at, limit: scalar.limit(self.text, self.number_of(scalar)) });
            self.out.shape.extend_from_slice(self.marks.limit);
            self.pair = Pair::None;
        } else if let Some(verbatim) = self.verbatim(scalar) {
            self.out.shape.extend_from_slice(verbatim);
            self.pair = Pair::None;
        } else {
            self.note_number(scalar);
            let digits = self.placeholder(scalar);
            let digits = if self.before_or.is_some() { self.complemented(scalar, digits) } else { digits };
            self.out.shape.extend_from_slice(digits);
            self.pair = Pair::Left(Side::Literal(scalar, at));
        }
        self.count_array(scalar, at);
        self.limit_next = false;
        self.token(if scalar.kind == Kind::Text { Last::Text } else { Last::Value });
    }

    /// An operator follows the last token: true where it adds to the value of a limit. Any other makes that an
    /// expression, whose value nobody works out.
    pub(super) fn extends_limit(&mut self, operator: std::ops::Range<usize>) -> bool {
        let end = self.out.shape.len();
        if self.last == Last::Start {
            // What ends the shape is a statement before this one.
            return false;
        }
        let Some(last) = self.out.limits.last_mut().filter(|limit| limit.at + 2 == end) else { return false };
        let adds = self.text.get(operator) == Some(b"+");
        if !adds {
            last.limit = Limit::Other;
        }
        adds
    }

    /// `LIMIT 10 + 5`: a sum of values is one value.
    fn adds_to_limit(&mut self, scalar: Scalar) -> bool {
        let added = scalar.limit(self.text, 0);
        let Some(last) = self.out.limits.last_mut() else { return false };
        if self.last != Last::Sign || last.at + 2 != self.sign_at {
            return false;
        }
        last.limit = match (last.limit, added) {
            (Limit::Rows(a), Limit::Rows(b)) => Limit::Rows(a.saturating_add(b)),
            // A sum with a parameter is an expression: its value is not known even when the parameter's is.
            (Limit::Parameter(_), _) | (_, Limit::Parameter(_)) => Limit::Parameter(0),
            _ => Limit::Other,
        };
        self.out.shape.truncate(self.sign_at);
        self.at = scalar.end;
        self.limit_next = false;
        self.token(Last::Value);
        true
    }

    /// The number of the parameter that was just read: it has one, or is the next of its statement.
    fn number_of(&self, scalar: Scalar) -> u16 {
        match self.mysql.dialect {
            Dialect::Postgres => scalar.parameter(self.text),
            Dialect::MySql => self.mysql.parameters,
        }
    }

    fn keep_limit(&mut self, limit: LimitAt) {
        if self.out.limits.len() < LIMITS_MAX {
            self.out.limits.push(limit);
        } else {
            self.piece.marks.set(Marks::CUT);
        }
    }

    fn operand_before_sign(&self) -> bool {
        match self.before_last {
            Last::Value | Last::Text | Last::Name | Last::Close | Last::CloseBracket => true,
            Last::Word(word) => !word.precedes_value(),
            Last::Start | Last::Open | Last::OpenBracket | Last::Comma | Last::Dot => false,
            Last::Cast | Last::Compare | Last::Sign | Last::Operator => false,
        }
    }

    /// What must stand as it is for the shape to be SQL.
    fn verbatim(&self, scalar: Scalar) -> Option<&'static [u8]> {
        let content = scalar.content(self.text);
        match (scalar.kind, self.last) {
            (Kind::Text, Last::Word(_) | Last::Operator) if content.len() <= 4 && self.is_any_text(content) => {
                Some(b"'%'")
            }
            (Kind::Number, Last::Open) if self.is_whole_sample(scalar) => Some(b"100"),
            // A typed literal takes a string, not a placeholder.
            (Kind::Text, Last::Word(Word::Type)) => Some(b"''"),
            (Kind::Text, Last::Word(Word::Like)) if is_percent(content) => Some(b"'%'"),
            // The size of a type takes a number; which one means nothing here.
            (Kind::Number, _) if self.top().kind == FrameKind::Size => Some(b"9"),
            _ => None,
        }
    }

    /// Counts a number of which nothing but a comparison with a literal looks at the value: what is compared with a key is 0 or 1
    /// there, or any.
    fn note_number(&mut self, scalar: Scalar) {
        if scalar.kind == Kind::Number
            && self.mysql.dialect == Dialect::Postgres
            && self.bodies.is_empty()
            && self.head != Head::Explain
            && stands_alone(self.text, scalar.start, scalar.end)
        {
            self.out.numbers.add();
        }
    }

    #[inline(always)]
    fn placeholder(&mut self, scalar: Scalar) -> &'static [u8] {
        match self.pair {
            Pair::Compared(Side::Literal(left, at)) => {
                self.out.numbers = Numbers::Read;
                match self.compared(left, scalar) {
                    Some(Ordering::Equal) => self.patch(at, b" 1", b" 1"),
                    Some(Ordering::Less) => self.patch(at, b" 1", b" 2"),
                    Some(Ordering::Greater) => self.patch(at, b" 2", b" 1"),
                    None => self.marks.value,
                }
            }
            Pair::Compared(Side::Key) => self.small(scalar),
            Pair::None | Pair::Left(_) if self.truth_place() => self.truth(scalar),
            Pair::None | Pair::Left(_) => self.marks.value,
        }
    }

    fn compared(&self, left: Scalar, right: Scalar) -> Option<Ordering> {
        match self.mysql.dialect {
            Dialect::Postgres => compare(self.text, left, right),
            Dialect::MySql => super::mysql::compare(self.text, left, right),
        }
    }

    pub(super) fn patch(&mut self, at: usize, left: &[u8; 2], right: &'static [u8; 2]) -> &'static [u8] {
        if let Some(place) = self.out.shape.get_mut(at..at + 2) {
            place.copy_from_slice(left);
        }
        right
    }

    /// What stands for a literal that is compared with a key: 0 and what is below stays, so does 1.
    fn small(&self, scalar: Scalar) -> &'static [u8] {
        match scalar.number(self.text) {
            Some(value) if value <= 0.0 => b" 0",
            Some(value) if value <= 1.0 => b" 1",
            _ => self.marks.value,
        }
    }

    /// A key was read after a literal and a comparison.
    pub(super) fn compare_with_key(&mut self, left: Scalar, at: usize) {
        let digits = self.small(left);
        if let Some(place) = self.out.shape.get_mut(at..at + 2) {
            place.copy_from_slice(digits);
        }
    }

    /// A literal here is a truth value, such as `WHERE 't'`.
    fn truth_place(&self) -> bool {
        self.place() == Place::Truth
    }

    fn truth(&self, scalar: Scalar) -> &'static [u8] {
        if self.mysql.dialect == Dialect::MySql {
            return self.number_as_truth(scalar);
        }
        let content = scalar.content(self.text).trim_ascii();
        if scalar.kind == Kind::Parameter || content.is_empty() || content.len() > 5 {
            return self.marks.value;
        }
        let is = |words: &[&[u8]]| words.iter().any(|word| content.eq_ignore_ascii_case(word));
        if is(&[b"t", b"tr", b"tru", b"true", b"y", b"ye", b"yes", b"on", b"1"]) {
            b" 1"
        } else if is(&[b"f", b"fa", b"fal", b"fals", b"false", b"n", b"no", b"of", b"off", b"0"]) {
            b" 0"
        } else {
            self.marks.value
        }
    }

    /// Counts the elements of an array that is written as a string, `ANY ('{1,2}')`, and notes a parameter in its place.
    fn count_array(&mut self, scalar: Scalar, at: usize) {
        if self.top().kind != FrameKind::Rows && self.deep == 0 {
            return;
        }
        match scalar.kind {
            Kind::Number => {}
            Kind::Parameter if self.out.arrays.len() >= LIMITS_MAX => self.piece.marks.set(Marks::CUT),
            Kind::Parameter => self.out.arrays.push(ArrayAt { at, parameter: self.number_of(scalar) }),
            Kind::Text => {
                let elements = text_elements(scalar.bytes(self.text));
                self.piece.counts.array_elements = self.piece.counts.array_elements.max(elements);
            }
        }
    }
}
