//! What the values of a statement say of how much it reads or writes: the rows of a `LIMIT $1`, the elements of an array.
//!
//! A driver sends them beside the text, in one of two forms. Only what a [`Reading`](super::Reading) asks for is read. What
//! the server would not take is left to it.

use super::array;
use super::lexer::Limit;

/// One value as a client sent it, as far as it is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// In the form that people write.
    Text(&'a [u8]),
    /// In the form of the server's own `send` functions.
    Binary(&'a [u8]),
}

/// How much of a value is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its beginning; nothing of the values behind it.
    Beginning,
}

/// What a statement uses a parameter for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// As `LIMIT` or `FETCH FIRST`.
    Limit,
    /// As an array that stands for rows to write.
    Array,
    /// As an array that stands for rows to read: known where it is at hand, and else not.
    Keys,
}

/// A parameter whose value means something to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// Its number, from 1.
    pub parameter: u16,
    /// What it is used for.
    pub role: Role,
}

/// Whether all that is wanted was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing is missing.
    All,
    /// A value is cut off, or not there: what was read of an array is the least that it may have.
    Some,
}

/// Of parameters, as in `$1`; a Bind has a value for each of them at the most.
const NUMBERS: std::ops::RangeInclusive<u16> = 1..=u16::MAX;

/// Bytes that [`Values::read`] has to look at one by one: those of arrays that are written as text.
pub fn bytes_to_read<'v>(wanted: &[Wanted], values: impl Iterator<Item = (Value<'v>, Part)>) -> usize {
    let mut rest = wanted;
    let mut bytes = 0_usize;
    for (number, (value, _)) in NUMBERS.zip(values) {
        while let Some((&next, after)) = rest.split_first().filter(|(next, _)| next.parameter == number) {
            if let (Role::Array | Role::Keys, Value::Text(text)) = (next.role, value) {
                bytes = bytes.saturating_add(text.len());
            }
            rest = after;
        }
        if rest.is_empty() {
            break;
        }
    }
    bytes
}

/// What was read of the values of one Bind: an entry for each wanted parameter that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    known: Vec<(Wanted, Known)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Limit(Limit),
    Elements(u32),
    /// It has more than these.
    Beginning(u32),
}

impl Values {
    /// Reads what is wanted, which is sorted, out of all values in their order. One pass, however many are wanted.
    pub fn read<'v>(wanted: &[Wanted], values: impl Iterator<Item = (Value<'v>, Part)>) -> (Self, Found) {
        let mut known = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        let mut found = Found::All;
        for (number, (value, part)) in NUMBERS.zip(values) {
            while let Some((&next, after)) = rest.split_first().filter(|(next, _)| next.parameter == number) {
                known.push((next, next.role.read(number, value, part, &mut found)));
                rest = after;
            }
            if rest.is_empty() {
                return (Self { known }, found);
            }
        }
        let missing = rest.iter().any(|wanted| wanted.role != Role::Keys);
        (Self { known }, if missing { Found::Some } else { found })
    }

    /// What a parameter says as `LIMIT`; `None` where it was not read.
    pub fn limit(&self, parameter: u16) -> Option<Limit> {
        match self.find(Wanted { parameter, role: Role::Limit })? {
            Known::Limit(limit) => Some(limit),
            Known::Elements(_) | Known::Beginning(_) => None,
        }
    }

    /// How many elements the array of a parameter has at least; 0 where it was not read.
    pub fn elements(&self, parameter: u16) -> u32 {
        match self.find(Wanted { parameter, role: Role::Array }) {
            Some(Known::Elements(elements) | Known::Beginning(elements)) => elements,
            Some(Known::Limit(_)) | None => 0,
        }
    }

    /// How many elements the array of a parameter has; `None` where it was not read to its end.
    pub fn all_elements(&self, parameter: u16) -> Option<u32> {
        let known = |role| self.find(Wanted { parameter, role });
        match known(Role::Array).or_else(|| known(Role::Keys))? {
            Known::Elements(elements) => Some(elements),
            Known::Beginning(_) | Known::Limit(_) => None,
        }
    }

    /// About how much memory this takes.
    pub fn weight_bytes(&self) -> usize {
        self.known.capacity() * size_of::<(Wanted, Known)>()
    }

    fn find(&self, wanted: Wanted) -> Option<Known> {
        let at = self.known.binary_search_by_key(&wanted, |(known, _)| *known).ok()?;
        self.known.get(at).map(|(_, known)| *known)
    }
}

impl Known {
    fn elements(value: Value<'_>, part: Part) -> Self {
        match array::elements(value, part) {
            (elements, Part::Whole) => Self::Elements(elements),
            (elements, Part::Beginning) => Self::Beginning(elements),
        }
    }
}

impl Role {
    fn read(self, number: u16, value: Value<'_>, part: Part, found: &mut Found) -> Known {
        match self {
            Self::Limit if part == Part::Whole => Known::Limit(limit(value)),
            Self::Limit => {
                *found = Found::Some;
                Known::Limit(Limit::Parameter(number))
            }
            Self::Array => {
                let known = Known::elements(value, part);
                if matches!(known, Known::Beginning(_)) {
                    *found = Found::Some;
                }
                known
            }
            Self::Keys => Known::elements(value, part),
        }
    }
}

/// A value as LIMIT. The server makes a bigint of it, and takes NULL for no limit.
fn limit(value: Value<'_>) -> Limit {
    match value {
        Value::Null => Limit::All,
        Value::Text(text) => written(text.trim_ascii()),
        Value::Binary(bytes) => integer(bytes).map_or_else(|| numeric(bytes), |rows| rows_of(rows.try_into().ok())),
    }
}

fn rows_of(rows: Option<u64>) -> Limit {
    rows.map_or(Limit::Other, Limit::Rows)
}

/// smallint, integer or bigint: nothing else has their sizes and is taken for a LIMIT by any driver.
fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// numeric: how many digits, the power of 10,000 of the first one, the sign, a scale, the digits.
fn numeric(bytes: &[u8]) -> Limit {
    const POSITIVE: u16 = 0;
    let mut words = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_be_bytes);
    let (Some(count), Some(weight), Some(POSITIVE), Some(_)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Limit::Other;
    };
    if bytes.len() != 8 + 2 * usize::from(count) {
        return Limit::Other;
    }
    // Digits that are not sent are zeros; the first one behind the point may round up.
    let whole = usize::try_from(i32::from(weight.cast_signed()) + 1).unwrap_or(0);
    let ahead: u64 = words.by_ref().take(whole).fold(0, scaled);
    let missing = whole.saturating_sub(usize::from(count));
    let rows = (0..missing.min(5)).fold(ahead, |sum, _| scaled(sum, 0));
    Limit::Rows(rows.saturating_add(u64::from(words.next().is_some_and(|digit| digit >= 5000))))
}

fn scaled(sum: u64, digit: u16) -> u64 {
    sum.saturating_mul(10_000).saturating_add(digit.into())
}

/// A number as the server reads it: digits, a point, an exponent, since version 16 also other bases and underscores.
fn written(text: &[u8]) -> Limit {
    // Nothing longer is a number that a driver writes, and reading it must cost little.
    let Ok(text) = std::str::from_utf8(text.get(..64).unwrap_or(text)) else { return Limit::Other };
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(prefix, radix)| {
        let start = digits.get(..2)?;
        start.eq_ignore_ascii_case(prefix).then_some((digits.get(2..)?, radix))
    });
    if let Some((digits, radix)) = radix {
        return rows_of(u64::from_str_radix(digits, radix).ok());
    }
    match digits.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
        Ok(rows) if rows >= 0.0 => Limit::Rows(rows.round() as u64),
        _ => Limit::Other,
    }
}
