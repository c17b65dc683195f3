//! How many elements an array has that a client sent.

use super::values::{Part, Value};

/// The elements of an array, and whether that is all of them. A value that is no array has none.
pub(super) fn elements(value: Value<'_>, part: Part) -> (u32, Part) {
    match value {
        Value::Null => (0, Part::Whole),
        Value::Text(text) => (text_elements(text.iter().copied()), part),
        Value::Binary(bytes) => header(bytes, part),
    }
}

/// A binary array begins with its dimensions, so its size is known long before its end.
fn header(bytes: &[u8], part: Part) -> (u32, Part) {
    /// The server takes no array of more.
    const DIMENSIONS_MAX: u32 = 6;
    let mut words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok()).map(u32::from_be_bytes);
    let dimensions = match words.next() {
        None => return (0, part),
        Some(dimensions @ 1..=DIMENSIONS_MAX) => dimensions,
        Some(_) => return (0, Part::Whole),
    };
    // Behind two words about nulls and the type of an element there are two for each dimension: its length and where it begins.
    let mut product = 1_u32;
    for dimension in 0..dimensions {
        match words.nth(if dimension == 0 { 2 } else { 1 }) {
            Some(length) => product = product.saturating_mul(length),
            None => return (0, part),
        }
    }
    (product, Part::Whole)
}

/// Elements of an array that is written as text: `{1,2}`, `{{1,2},{3,4}}`, `[0:1]={a,"b,c"}`. Whoever sends bytes that are no
/// array gets 0 or an error of the server. Of a text that is cut off, what was counted is the least that it holds.
pub fn text_elements(text: impl Iterator<Item = u8>) -> u32 {
    let mut text = text.skip_while(u8::is_ascii_whitespace).peekable();
    if text.peek() == Some(&b'[') {
        // Bounds of the dimensions, up to the sign before the braces.
        text.by_ref().find(|&byte| byte == b'=');
    }
    let mut text = text.skip_while(u8::is_ascii_whitespace);
    if text.next() != Some(b'{') {
        return 0;
    }
    let mut count = Counter::default();
    while let Some(byte) = text.next() {
        match byte {
            b'\\' => {
                text.next();
                count.something();
            }
            other => count.take(other),
        }
    }
    count.elements()
}

/// Elements so far. Each comma outside of quotes, at any depth, separates two.
#[derive(Debug, Default)]
struct Counter {
    commas: u32,
    quotes: Quotes,
    filled: Filled,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    #[default]
    Closed,
    Open,
}

/// `{}` has no element, and `{a}` has one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Filled {
    #[default]
    Empty,
    Something,
}

impl Counter {
    fn take(&mut self, byte: u8) {
        match (self.quotes, byte) {
            (Quotes::Closed, b'"') => {
                self.quotes = Quotes::Open;
                self.something();
            }
            (Quotes::Open, b'"') => self.quotes = Quotes::Closed,
            (Quotes::Closed, b',') => self.commas = self.commas.saturating_add(1),
            (Quotes::Closed, b'{' | b'}') | (Quotes::Open, _) => {}
            (Quotes::Closed, other) if other.is_ascii_whitespace() => {}
            (Quotes::Closed, _) => self.something(),
        }
    }

    fn something(&mut self) {
        self.filled = Filled::Something;
    }

    fn elements(&self) -> u32 {
        match self.filled {
            Filled::Empty => self.commas,
            Filled::Something => self.commas.saturating_add(1),
        }
    }
}
