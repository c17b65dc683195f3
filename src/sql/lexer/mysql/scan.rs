//! Where a token of MySQL's SQL ends: functions over bytes that know nothing of SQL's meaning.

use crate::sql::dialect::Strings;
use crate::sql::lexer::scan::{self, End};

/// What a byte may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Space,
    Letter,
    Digit,
    Quote,
    DoubleQuote,
    Backtick,
    At,
    Hash,
    Parameter,
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    Comma,
    Semicolon,
    Dot,
    Colon,
    Backslash,
    Operator,
    Other,
}

/// The class of every byte. Bytes from 0x80 belong to names; what a client's character set makes of them is settled
/// before ([`crate::sql::Encoding::disarm`]).
pub(super) const CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'`' => Class::Backtick,
            b'@' => Class::At,
            b'#' => Class::Hash,
            b'?' => Class::Parameter,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'{' => Class::OpenBrace,
            b'}' => Class::CloseBrace,
            b',' => Class::Comma,
            b';' => Class::Semicolon,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            b'\\' => Class::Backslash,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'%' | b'^' | b'&' | b'|' => Class::Operator,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

pub(super) fn is_word(byte: u8) -> bool {
    matches!(CLASS[usize::from(byte)], Class::Letter | Class::Digit)
}

/// The first byte from `at` on that is no white space.
pub(super) fn after_space(text: &[u8], at: usize) -> usize {
    let tail = text.get(at..).unwrap_or_default();
    at + tail.iter().position(|&byte| CLASS[usize::from(byte)] != Class::Space).unwrap_or(tail.len())
}

/// The first byte from `at` on that is neither white space nor in a plain comment.
pub(super) fn after_comments(text: &[u8], mut at: usize) -> usize {
    loop {
        at = after_space(text, at);
        at = match (byte(text, at), byte(text, at + 1)) {
            (b'#', _) => line_comment(text, at + 1),
            (b'-', b'-') if is_dashed_comment(text, at) => line_comment(text, at + 2),
            (b'/', b'*') if executable(text, at).is_none() => block_comment(text, at + 2).at,
            _ => return at,
        };
    }
}

/// What begins with a digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// A number that ends there.
    Number(usize),
    /// A name, such as `2024_orders`, that ends there.
    Name(usize),
}

/// Reads what begins at `at` with a digit or a dot.
pub(super) fn digits(text: &[u8], at: usize) -> Digits {
    if let Some(end) = radix(text, at) {
        return Digits::Number(end);
    }
    let whole = skip(text, at, |byte| byte.is_ascii_digit());
    if byte(text, whole) == b'.' {
        let end = skip(text, whole + 1, |byte| byte.is_ascii_digit());
        return Digits::Number(exponent(text, end).unwrap_or(end));
    }
    match exponent(text, whole) {
        Some(end) => Digits::Number(end),
        None if is_word(byte(text, whole)) => Digits::Name(scan::word(text, whole)),
        None => Digits::Number(whole),
    }
}

/// `0x1F` and `0b01`, in lower case only; anything else that begins so is a name.
fn radix(text: &[u8], at: usize) -> Option<usize> {
    let end = match (byte(text, at), byte(text, at + 1)) {
        (b'0', b'x') => skip(text, at + 2, |byte| byte.is_ascii_hexdigit()),
        (b'0', b'b') => skip(text, at + 2, |byte| matches!(byte, b'0' | b'1')),
        _ => return None,
    };
    (end > at + 2 && !is_word(byte(text, end))).then_some(end)
}

fn exponent(text: &[u8], at: usize) -> Option<usize> {
    let sign = usize::from(matches!(byte(text, at + 1), b'+' | b'-'));
    let counts = byte(text, at) | 0x20 == b'e' && byte(text, at + 1 + sign).is_ascii_digit();
    counts.then(|| skip(text, at + 1 + sign, |byte| byte.is_ascii_digit()))
}

fn skip(text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let tail = text.get(from..).unwrap_or_default();
    from + tail.iter().position(|&byte| !wanted(byte)).unwrap_or(tail.len())
}

/// End of what is quoted by `quote`, whose opening quote is before `at`.
pub(super) fn quoted(text: &[u8], mut at: usize, quote: u8, strings: Strings) -> End {
    loop {
        let tail = text.get(at..).unwrap_or_default();
        let stop = match strings {
            Strings::Standard => tail.iter().position(|&byte| byte == quote),
            Strings::Escapes => tail.iter().position(|&byte| byte == quote || byte == b'\\'),
        };
        let Some(stop) = stop else { return End { at: text.len(), closed: false } };
        at += stop;
        if byte(text, at) != quote || byte(text, at + 1) == quote {
            at += 2;
        } else {
            return End { at: at + 1, closed: true };
        }
    }
}

/// True where a comment of one line begins: `--` needs white space behind it, else it is two signs.
pub(super) fn is_dashed_comment(text: &[u8], at: usize) -> bool {
    byte(text, at + 1) == b'-' && text.get(at + 2).is_none_or(|byte| *byte == b' ' || byte.is_ascii_control())
}

/// End of a comment of one line.
pub(super) fn line_comment(text: &[u8], at: usize) -> usize {
    skip(text, at, |byte| byte != b'\n')
}

/// End of a block comment whose `/*` is before `at`. They do not nest.
pub(super) fn block_comment(text: &[u8], at: usize) -> End {
    let tail = text.get(at..).unwrap_or_default();
    match tail.windows(2).position(|pair| pair == b"*/") {
        Some(stop) => End { at: at + stop + 2, closed: true },
        None => End { at: text.len(), closed: false },
    }
}

/// End of an executable comment that does not run, from behind its opening: plain comments in it are skipped whole.
pub(super) fn skipped_comment(text: &[u8], mut at: usize) -> End {
    while let Some(&first) = text.get(at) {
        match (first, byte(text, at + 1)) {
            (b'*', b'/') => return End { at: at + 2, closed: true },
            (b'/', b'*') => {
                let inner = block_comment(text, at + 2);
                if !inner.closed {
                    return inner;
                }
                at = inner.at;
            }
            _ => at += 1,
        }
    }
    End { at: text.len(), closed: false }
}

/// End of the operator that begins at `at`.
pub(super) fn operator(text: &[u8], at: usize) -> usize {
    let tail = text.get(at..).unwrap_or_default();
    let known: [&[u8]; 12] = [b"<=>", b"->>", b"<=", b"<>", b"<<", b">=", b">>", b"!=", b"->", b"||", b"&&", b":="];
    at + known.iter().find(|known| tail.starts_with(known)).map_or(1, |known| known.len())
}

/// The opening of an executable comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) kind: Executable,
    /// The version from which on it runs; 0 where it names none.
    pub(super) version: u32,
    /// Where its content begins.
    pub(super) end: usize,
}

/// Who runs an executable comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Executable {
    /// `/*!`: MySQL and MariaDB.
    Any,
    /// `/*M!`: MariaDB.
    MariaDb,
}

/// Reads the opening of an executable comment; `None` where the comment at `at` is a plain one.
pub(super) fn executable(text: &[u8], at: usize) -> Option<Opening> {
    let (kind, start) = match (byte(text, at + 2), byte(text, at + 3)) {
        (b'!', _) => (Executable::Any, at + 3),
        (b'M', b'!') => (Executable::MariaDb, at + 4),
        _ => return None,
    };
    let digits = skip(text, start, |byte| byte.is_ascii_digit()) - start;
    // Fewer than five digits are content.
    let length = if digits < 5 { 0 } else { digits.min(6) };
    let number = text.get(start..start + length).unwrap_or_default();
    let version = number.iter().fold(0, |version: u32, digit| version * 10 + u32::from(digit - b'0'));
    Some(Opening { kind, version, end: start + length })
}
