//! Literals and parameters: what stands for them in the shape.

use std::cmp::Ordering;

use super::everything::is_percent;
use super::head::Head;
use super::keyword::Word;
use super::nest::{FrameKind, Place};
use super::token::{Last, Lexer};
use super::{ArrayAt, LIMITS_MAX, Limit, LimitAt, Marks, Numbers};
use crate::sql::dialect::Dialect;
use crate::sql::mask::stands_alone;
use crate::sql::values::text_elements;

/// What kind of value a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Parameter,
}

/// A literal or a parameter in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) kind: Kind,
    pub(super) start: usize,
    /// Where its content begins, after prefix and quote.
    pub(super) content: usize,
    pub(super) end: usize,
    /// A minus sign before it belongs to it.
    pub(super) negative: bool,
}

impl Scalar {
    pub(super) fn content(self, text: &[u8]) -> &[u8] {
        let end = match self.kind {
            Kind::Text => self.end.saturating_sub(1).max(self.content),
            Kind::Number | Kind::Parameter => self.end,
        };
        text.get(self.content..end).unwrap_or_default()
    }

    /// Its value as a number, also where it is written as a string.
    pub(super) fn number(self, text: &[u8]) -> Option<f64> {
        let content = match self.kind {
            Kind::Parameter => return None,
            Kind::Text | Kind::Number => self.content(text).trim_ascii(),
        };
        // Nothing longer is a number that people write, and parsing must not cost more than reading.
        let content = if content.len() > 64 { return None } else { std::str::from_utf8(content).ok()? };
        let value = plain_number(content).filter(|value| value.is_finite())?;
        Some(if self.negative { -value } else { value })
    }

    /// The number of a parameter; 0 where it is larger than any server takes.
    fn parameter(self, text: &[u8]) -> u16 {
        let digits = text.get(self.start..self.end).and_then(|text| std::str::from_utf8(text).ok());
        digits.and_then(|digits| digits.strip_prefix('$')?.parse().ok()).unwrap_or(0)
    }

    /// The bytes that it stands for, as far as arrays go: `E'…'` has its escapes.
    fn bytes(self, text: &[u8]) -> impl Iterator<Item = u8> {
        let escapes = text.get(self.start).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e'));
        let mut content = self.content(text).iter().copied();
        std::iter::from_fn(move || match content.next()? {
            b'\\' if escapes => content.next(),
            byte => Some(byte),
        })
    }

    /// `parameter`: its number, where it is one.
    fn limit(self, text: &[u8], parameter: u16) -> Limit {
        match self.kind {
            // What is bound is not what counts.
            Kind::Parameter if self.negative => return Limit::Other,
            Kind::Parameter => return Limit::Parameter(parameter),
            Kind::Text | Kind::Number => {}
        }
        match self.number(text) {
            // A float that does not fit becomes the largest value, which is what a limit of that size means.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates, and is not negative"
            )]
            Some(rows) if rows >= 0.0 => Limit::Rows(rows.round() as u64),
            Some(_) => Limit::Other,
            // More digits than any table has rows.
            None if self.kind == Kind::Number => Limit::Rows(u64::MAX),
            None => Limit::Other,
        }
    }
}

/// A number as the server writes them: decimal, or a whole one by another base, with underscores between digits.
fn plain_number(text: &str) -> Option<f64> {
    let digits: std::borrow::Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    let based = |base: u32| u64::from_str_radix(digits.get(2..)?, base).ok();
    let whole = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => based(16)?,
        [b'0', b'o' | b'O', ..] => based(8)?,
        [b'0', b'b' | b'B', ..] => based(2)?,
        _ => return digits.parse().ok(),
    };
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a row more or less is no matter")]
    Some(whole as f64)
}

/// How two literals compare; `None` where that takes more than their texts.
fn compare(text: &[u8], left: Scalar, right: Scalar) -> Option<Ordering> {
    match (left.kind, right.kind) {
        (Kind::Parameter, _) | (_, Kind::Parameter) => None,
        (Kind::Text, Kind::Text) => Some(left.content(text).cmp(right.content(text))),
        _ => left.number(text)?.partial_cmp(&right.number(text)?),
    }
}

/// One side of a comparison that may turn out to be always true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// A column named `id` or `pk`.
    Key,
    /// A literal, with the place of its two bytes in the shape.
    Literal(Scalar, usize),
}

/// A comparison as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    None,
    Left(Side),
    Compared(Side),
}

impl Pair {
    pub(super) fn compared(self) -> Self {
        match self {
            Self::Left(side) => Self::Compared(side),
            Self::None | Self::Compared(_) => Self::None,
        }
    }

    /// A parenthesis opens: the second side may stand in it.
    pub(super) fn opened(self) -> Self {
        self.signed()
    }

    /// The shape is cut off at `to`.
    pub(super) fn cut(self, to: usize) -> Self {
        match self {
            Self::Left(Side::Literal(_, at)) | Self::Compared(Side::Literal(_, at)) if at >= to => Self::None,
            other => other,
        }
    }

    /// A sign was read: it may belong to the second side.
    pub(super) fn signed(self) -> Self {
        match self {
            Self::Compared(side) => Self::Compared(side),
            Self::None | Self::Left(_) => Self::None,
        }
    }
}

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

/// Appends the content of `U&"…"` with its escapes resolved.
pub(super) fn unescape(mut content: &[u8], escape: u8, out: &mut Vec<u8>) {
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
