//! Sizes, times and bytes as people write and read them.
//!
//! Every quantity of `config.toml` carries its unit, so that nobody has to guess whether `15` means seconds. What is
//! printed here parses back to the same value.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written `512MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is no quantity: a sentence that says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuantity(String);

impl FromStr for ByteSize {
    type Err = BadQuantity;

    /// Reads a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`.
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let (number, unit) = split_number(text).ok_or_else(|| bad_size(text))?;
        let factor = BYTE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let Some(factor) = factor else { return Err(unknown_byte_unit(text, number, unit)) };
        number.checked_mul(factor).map(Self).ok_or_else(|| BadQuantity(format!("\"{text}\" is too large")))
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides the size exactly, so that nothing is rounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = BYTE_UNITS.iter().rev().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        let (name, factor) = exact.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

/// In what a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Rows, writes.
    Count,
    /// Bytes.
    Bytes,
    /// Microseconds.
    Time,
}

impl Unit {
    /// Its word in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Time => "microseconds",
        }
    }

    /// The next number that people would write down as a limit: never 0, and hardly ever more than half as much again.
    pub fn round_up(self, value: u64) -> u64 {
        let steps: &[(u64, &[u64])] = match self {
            Self::Count => &COUNT_STEPS,
            Self::Bytes => &BYTE_STEPS,
            Self::Time => &TIME_STEPS,
        };
        let numbers = steps.iter().flat_map(|(unit, steps)| steps.iter().map(|step| step.saturating_mul(*unit)));
        numbers.into_iter().find(|number| *number >= value).unwrap_or(value)
    }

    /// The value as a setting of `config.toml` would give it, without quotes.
    pub fn exact(self, value: u64) -> String {
        match self {
            Self::Count => value.to_string(),
            Self::Bytes => ByteSize(value).to_string(),
            Self::Time => display_duration(Duration::from_micros(value)),
        }
    }

    /// The value in a few letters, for a table: cut to one decimal, where it has a unit.
    pub fn rough(self, value: u64) -> String {
        let units: &[(&str, u64)] = match self {
            Self::Count => return value.to_string(),
            Self::Bytes => &BYTE_UNITS,
            Self::Time => &TIME_UNITS,
        };
        let fitting = units.iter().rev().find(|(_, factor)| value >= *factor);
        let (name, factor) = fitting.copied().or_else(|| units.first().copied()).unwrap_or(("", 1));
        match (value / factor, (value % factor) / factor.div_ceil(10)) {
            (whole, 0) => format!("{whole}{name}"),
            (whole, tenths) => format!("{whole}.{tenths}{name}"),
        }
    }
}

/// Reads a duration such as `15s`, `2ms`, `5m`, `1h` or a sum of falling units such as `1h30m`. The error says what to
/// write.
pub fn parse_duration(text: &str) -> Result<Duration, BadQuantity> {
    let bad = || {
        BadQuantity(format!("\"{text}\" is no duration: write a whole number and us, ms, s, m, h or d, as in \"15s\""))
    };
    let mut total: u64 = 0;
    let mut rest = text;
    let mut largest = u64::MAX;
    while !rest.is_empty() || largest == u64::MAX {
        let (number, tail) = leading_number(rest).ok_or_else(bad)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end).ok_or_else(bad)?;
        let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit).copied().ok_or_else(bad)?;
        if factor >= largest {
            return Err(bad());
        }
        let part = number.checked_mul(factor).and_then(|part| total.checked_add(part));
        total = part.ok_or_else(|| BadQuantity(format!("\"{text}\" is too long a time")))?;
        largest = factor;
        rest = tail;
    }
    Ok(Duration::from_micros(total))
}

/// Microseconds of a duration; saturates.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Prints a duration so that `parse_duration` reads it back; below a microsecond is cut off.
pub fn display_duration(duration: Duration) -> String {
    let mut rest = micros(duration);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (name, factor) in TIME_UNITS.iter().rev() {
        let count = rest / factor;
        rest %= factor;
        if count != 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{count}{name}");
        }
    }
    out
}

/// So many of a thing whose plural takes an `s`: `1 server`, `2 servers`.
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// Bytes of unknown encoding as text for a log line or a table: control characters and what is no UTF-8 are escaped,
/// and at most [`DISPLAY_BYTES_MAX`] bytes are shown. For display only: nothing may be decided on it.
pub fn display_bytes(bytes: &[u8]) -> String {
    let shown = bytes.get(..DISPLAY_BYTES_MAX).unwrap_or(bytes);
    let mut out = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_visible(&mut out, c));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    if shown.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// How many bytes [`display_bytes`] shows.
pub const DISPLAY_BYTES_MAX: usize = 1024;

/// Control characters, and the marks that turn the direction of text, could forge or hide a log line.
fn push_visible(out: &mut String, c: char) {
    let turns_text = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns_text {
        out.extend(c.escape_default());
    } else {
        out.push(c);
    }
}

const BYTE_UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// In microseconds, smallest first.
const TIME_UNITS: [(&str, u64); 6] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Numbers that people write down, by unit, smallest first.
const COUNT_STEPS: [(u64, &[u64]); 11] = [
    (1, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (1, TENS),
    (10, TENS),
    (100, TENS),
    (1_000, TENS),
    (10_000, TENS),
    (100_000, TENS),
    (1_000_000, TENS),
    (10_000_000, TENS),
    (100_000_000, TENS),
    (1_000_000_000, TENS),
];
const TENS: &[u64] = &[10, 12, 15, 20, 25, 30, 40, 50, 60, 80];
const BYTE_STEPS: [(u64, &[u64]); 4] = [(1 << 10, SIZES), (1 << 20, SIZES), (1 << 30, SIZES), (1 << 40, SIZES)];
const SIZES: &[u64] = &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768];
const TIME_STEPS: [(u64, &[u64]); 5] = [
    (1_000, &[1, 2, 3, 5, 10, 15, 20, 30, 50, 100, 150, 200, 300, 500, 750]),
    (1_000_000, SIXTIETHS),
    (60_000_000, SIXTIETHS),
    (3_600_000_000, &[1, 2, 3, 6, 12]),
    (86_400_000_000, &[1, 2, 3, 5, 7, 10, 14, 21, 30]),
];
const SIXTIETHS: &[u64] = &[1, 2, 3, 5, 10, 15, 20, 30, 45];

/// A number with its unit; one blank between the two is fine.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = leading_number(text)?;
    Some((number, rest.strip_prefix(' ').unwrap_or(rest)))
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

fn bad_size(text: &str) -> BadQuantity {
    BadQuantity(format!("\"{text}\" is no size: write a whole number and B, KiB, MiB, GiB or TiB, as in \"512MiB\""))
}

/// `MB` means a power of ten to some and of two to others: nothing is guessed.
fn unknown_byte_unit(text: &str, number: u64, unit: &str) -> BadQuantity {
    let meant = BYTE_UNITS.iter().find(|(name, _)| {
        let (first, unit_first) = (name.chars().next(), unit.chars().next());
        first.map(|c| c.to_ascii_lowercase()) == unit_first.map(|c| c.to_ascii_lowercase())
    });
    match meant {
        Some((name, _)) => BadQuantity(format!("\"{text}\" has no known unit: write \"{number}{name}\"")),
        None => bad_size(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [("0B", 0), ("512MiB", 512 << 20), ("1 GiB", 1 << 30), ("3KiB", 3072), ("2TiB", 2 << 40)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn wrong_sizes_say_what_to_write() {
        for (text, advice) in [
            ("512", "as in \"512MiB\""),
            ("512MB", "write \"512MiB\""),
            ("4k", "write \"4KiB\""),
            ("1.5GiB", "as in \"512MiB\""),
            ("-1B", "is no size"),
            ("", "is no size"),
            ("99999999999TiB", "too large"),
            ("99999999999999999999999B", "is no size"),
        ] {
            let error = text.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, ms) in
            [("15s", 15_000), ("2ms", 2), ("5m", 300_000), ("1h", 3_600_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn wrong_durations_are_refused() {
        for text in ["", "15", "s", "1.5s", "-1s", "15 s", "30m1h", "1s1s", "15sec", "1h ", "9999999999999d", "１s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_rounded_up_to_what_people_write() {
        for (unit, value, written) in [
            (Unit::Count, 0, "1"),
            (Unit::Count, 7, "7"),
            (Unit::Count, 11, "12"),
            (Unit::Count, 1_000, "1000"),
            (Unit::Count, 5_001, "6000"),
            (Unit::Count, 400_000, "400000"),
            (Unit::Bytes, 0, "1KiB"),
            (Unit::Bytes, 17 << 20, "24MiB"),
            (Unit::Time, 0, "1ms"),
            (Unit::Time, 751_000, "1s"),
            (Unit::Time, 61_000_000, "2m"),
            (Unit::Time, 13 * 3_600_000_000, "1d"),
        ] {
            assert_eq!(unit.exact(unit.round_up(value)), written, "{value}");
        }
        assert_eq!(Unit::Count.round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn rough_values_are_short() {
        for (unit, value, written) in [
            (Unit::Count, 1_234_567, "1234567"),
            (Unit::Bytes, 0, "0B"),
            (Unit::Bytes, 1023, "1023B"),
            (Unit::Bytes, 1024 + 1023, "1.9KiB"),
            (Unit::Bytes, 16 << 20, "16MiB"),
            (Unit::Time, 350, "350us"),
            (Unit::Time, 12_340_000, "12.3s"),
            (Unit::Time, 90_000_000, "1.5m"),
        ] {
            assert_eq!(unit.rough(value), written);
        }
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "server")), ["0 servers", "1 server", "2 servers"]);
    }

    #[test]
    fn control_characters_and_broken_text_are_escaped() {
        assert_eq!(display_bytes(b"a\nb\x1b[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(display_bytes(b"a\xffb"), "a\\xffb");
        assert_eq!(display_bytes("é\u{202e}x".as_bytes()), "é\\u{202e}x");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let shown = display_bytes(&vec![b'x'; DISPLAY_BYTES_MAX + 1]);
        assert_eq!(shown.chars().count(), DISPLAY_BYTES_MAX + 1);
        assert!(shown.ends_with('…'));
    }

    proptest! {
        #[test]
        fn printed_sizes_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn printed_durations_read_back(us in any::<u64>()) {
            let duration = Duration::from_micros(us);
            prop_assert_eq!(parse_duration(&display_duration(duration)), Ok(duration));
        }

        #[test]
        fn rounding_up_never_goes_down(value in any::<u64>()) {
            for unit in [Unit::Count, Unit::Bytes, Unit::Time] {
                prop_assert!(unit.round_up(value) >= value.max(1));
                prop_assert!(!unit.rough(value).is_empty());
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = text.parse::<ByteSize>();
            let _ = parse_duration(&text);
        }

        #[test]
        fn displayed_bytes_hold_no_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let shown = display_bytes(&bytes);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(shown.len() <= DISPLAY_BYTES_MAX * 10 + 3);
        }
    }
}
