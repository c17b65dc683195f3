//! Literals and parameters as they stand in the text.

use std::cmp::Ordering;

use super::Limit;

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
    pub(super) fn parameter(self, text: &[u8]) -> u16 {
        let digits = text.get(self.start..self.end).and_then(|text| std::str::from_utf8(text).ok());
        digits.and_then(|digits| digits.strip_prefix('$')?.parse().ok()).unwrap_or(0)
    }

    /// The bytes that it stands for, as far as arrays go: `E'…'` has its escapes.
    pub(super) fn bytes(self, text: &[u8]) -> impl Iterator<Item = u8> {
        let escapes = text.get(self.start).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e'));
        let mut content = self.content(text).iter().copied();
        std::iter::from_fn(move || match content.next()? {
            b'\\' if escapes => content.next(),
            byte => Some(byte),
        })
    }

    /// `parameter`: its number, where it is one.
    pub(super) fn limit(self, text: &[u8], parameter: u16) -> Limit {
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

/// How two literals compare; `None` where that takes more than their texts.
pub(super) fn compare(text: &[u8], left: Scalar, right: Scalar) -> Option<Ordering> {
    match (left.kind, right.kind) {
        (Kind::Parameter, _) | (_, Kind::Parameter) => None,
        (Kind::Text, Kind::Text) => Some(left.content(text).cmp(right.content(text))),
        _ => left.number(text)?.partial_cmp(&right.number(text)?),
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
