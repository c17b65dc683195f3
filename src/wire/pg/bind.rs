//! The values of a Bind, read in place.
//!
//! Source: PostgreSQL manual, "Message Formats", Bind.

use crate::wire::reader::Reader;

/// The values of a Bind, as far as they are at hand. What the server would not accept ends them early and is left to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'a> {
    body: &'a [u8],
}

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As people write it.
    Text,
    /// As the server's own functions send it.
    Binary,
}

/// One value, in the order of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// All of it.
    Whole(Format, &'a [u8]),
    /// Its beginning: the rest of the message is not at hand.
    Beginning(Format, &'a [u8]),
}

impl<'a> Values<'a> {
    /// Reads what follows the names in a Bind.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { body }
    }

    /// All of them, as they were sent: [`Values::new`] reads them again.
    pub const fn bytes(self) -> &'a [u8] {
        self.body
    }

    /// The values one by one. Takes no memory, whatever the message claims to hold.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        let (formats, mut left, mut rest) = start(self.body).unwrap_or((Formats::Text, 0, Reader::new(&[])));
        let mut at = 0;
        std::iter::from_fn(move || {
            left = u16::checked_sub(left, 1)?;
            let format = formats.of(at)?;
            at = usize::saturating_add(at, 1);
            let Ok(size) = usize::try_from(rest.i32().ok()?) else { return Some(Value::Null) };
            if let Ok(bytes) = rest.bytes(size) {
                return Some(Value::Whole(format, bytes));
            }
            left = 0;
            Some(Value::Beginning(format, rest.rest()))
        })
    }
}

/// What a Bind says of the forms of its values.
#[derive(Debug, Clone, Copy)]
enum Formats<'a> {
    /// Text, all of them.
    Text,
    /// A code for each, or one for all.
    Codes(&'a [u8]),
}

impl Formats<'_> {
    /// The form of the value at `at`; `None` where no server knows it.
    fn of(self, at: usize) -> Option<Format> {
        let code = match self {
            Self::Text => return Some(Format::Text),
            Self::Codes(&[high, low]) => [high, low],
            Self::Codes(codes) => codes.chunks_exact(2).nth(at)?.try_into().ok()?,
        };
        match u16::from_be_bytes(code) {
            0 => Some(Format::Text),
            1 => Some(Format::Binary),
            _ => None,
        }
    }
}

/// The formats and the number of the values.
fn start(body: &[u8]) -> Option<(Formats<'_>, u16, Reader<'_>)> {
    let mut reader = Reader::new(body);
    let codes = usize::from(reader.u16().ok()?);
    let codes = reader.bytes(codes.saturating_mul(2)).ok()?;
    let formats = if codes.is_empty() { Formats::Text } else { Formats::Codes(codes) };
    let count = reader.u16().ok()?;
    Some((formats, count, reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(formats: &[u16], values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut body = (formats.len() as u16).to_be_bytes().to_vec();
        formats.iter().for_each(|format| body.extend(format.to_be_bytes()));
        body.extend((values.len() as u16).to_be_bytes());
        for value in values {
            body.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
            body.extend(value.unwrap_or_default());
        }
        body.extend([0, 0]);
        body
    }

    fn read(body: &[u8]) -> Vec<Value<'_>> {
        Values::new(body).iter().collect()
    }

    #[test]
    fn formats_are_given_for_none_for_all_or_for_each() {
        use Format::{Binary, Text};
        let values: [Option<&[u8]>; 3] = [Some(b"a"), None, Some(b"")];
        for (formats, first, last) in
            [(&[][..], Text, Text), (&[1], Binary, Binary), (&[0], Text, Text), (&[0, 1, 1], Text, Binary)]
        {
            let expected = [Value::Whole(first, b"a"), Value::Null, Value::Whole(last, b"")];
            assert_eq!(read(&body(formats, &values)), expected, "{formats:?}");
        }
    }

    #[test]
    fn what_no_server_takes_ends_the_values() {
        assert_eq!(read(&body(&[7], &[Some(b"a")])), []);
        assert_eq!(read(&body(&[0, 0], &[None, None, None])).len(), 2, "a format is missing");
        let mut claims = body(&[], &[Some(b"a")]);
        claims[3] = 9;
        assert_eq!(read(&claims).len(), 1);
    }

    #[test]
    fn every_cut_gives_the_same_values_up_to_it() {
        let whole = body(&[0, 1, 1], &[Some(b"abc"), None, Some(b"defgh")]);
        let all = read(&whole);
        for cut in 0..whole.len() {
            let part = read(&whole[..cut]);
            for (value, expected) in part.iter().zip(&all) {
                match (value, expected) {
                    (Value::Beginning(format, bytes), Value::Whole(expected, all)) => {
                        assert!(format == expected && all.starts_with(bytes));
                    }
                    (value, expected) => assert_eq!(value, expected),
                }
            }
        }
    }
}
