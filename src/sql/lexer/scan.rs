//! Where a token ends: functions over bytes that know nothing of SQL's meaning.

use crate::sql::dialect::Strings;

/// What a byte may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Space,
    Letter,
    Digit,
    Quote,
    DoubleQuote,
    Dollar,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Semicolon,
    Dot,
    Colon,
    Operator,
    Other,
}

/// The class of every byte. Bytes from 0x80 belong to names, in every encoding that a server accepts.
pub(super) const CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'$' => Class::Dollar,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'[' => Class::OpenBracket,
            b']' => Class::CloseBracket,
            b',' => Class::Comma,
            b';' => Class::Semicolon,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|'
            | b'`' | b'?' => Class::Operator,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

/// A token's end, and whether it was closed before the text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) at: usize,
    pub(super) closed: bool,
}

/// Where an operator ends, and where the signs end that follow it directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) at: usize,
    pub(super) signs: usize,
}

pub(super) fn class(text: &[u8], at: usize) -> Class {
    text.get(at).map_or(Class::Other, |&byte| CLASS[usize::from(byte)])
}

/// End of a word that begins before `at`.
pub(super) fn word(text: &[u8], at: usize) -> usize {
    let tail = text.get(at..).unwrap_or_default();
    let len =
        tail.iter().position(|&byte| !matches!(CLASS[usize::from(byte)], Class::Letter | Class::Digit | Class::Dollar));
    at + len.unwrap_or(tail.len())
}

/// End of a number that begins at `at` with a digit or a dot.
pub(super) fn number(text: &[u8], at: usize) -> usize {
    let byte = |i: usize| text.get(i).copied().unwrap_or(0);
    if byte(at) == b'0' && matches!(byte(at + 1) | 0x20, b'x' | b'o' | b'b') && byte(at + 2).is_ascii_hexdigit() {
        return skip(text, at + 2, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    let digits = |from: usize| skip(text, from, |b| b.is_ascii_digit() || b == b'_');
    let mut end = digits(at);
    if byte(end) == b'.' {
        end = digits(end + 1);
    }
    if byte(end) | 0x20 == b'e' {
        let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
        if byte(end + 1 + sign).is_ascii_digit() {
            end = digits(end + 1 + sign);
        }
    }
    end
}

fn skip(text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let tail = text.get(from..).unwrap_or_default();
    from + tail.iter().position(|&byte| !wanted(byte)).unwrap_or(tail.len())
}

/// End of a `'…'` whose opening quote is before `at`.
pub(super) fn string(text: &[u8], mut at: usize, strings: Strings) -> End {
    loop {
        let tail = text.get(at..).unwrap_or_default();
        let stop = match strings {
            Strings::Standard => tail.iter().position(|&byte| byte == b'\''),
            Strings::Escapes => tail.iter().position(|&byte| byte == b'\'' || byte == b'\\'),
        };
        let Some(stop) = stop else { return End { at: text.len(), closed: false } };
        at += stop;
        if text[at] == b'\\' || text.get(at + 1) == Some(&b'\'') {
            at += 2;
        } else {
            return End { at: at + 1, closed: true };
        }
    }
}

/// End of a `"…"` whose opening quote is before `at`.
pub(super) fn quoted_name(text: &[u8], mut at: usize) -> End {
    loop {
        let tail = text.get(at..).unwrap_or_default();
        let Some(stop) = tail.iter().position(|&byte| byte == b'"') else {
            return End { at: text.len(), closed: false };
        };
        at += stop + 1;
        if text.get(at) != Some(&b'"') {
            return End { at, closed: true };
        }
        at += 1;
    }
}

/// End of a line comment.
pub(super) fn line_comment(text: &[u8], at: usize) -> usize {
    skip(text, at, |byte| byte != b'\n' && byte != b'\r')
}

/// End of a block comment whose `/*` is before `at`; comments nest.
pub(super) fn block_comment(text: &[u8], mut at: usize) -> End {
    let mut depth = 1_usize;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied();
        match (byte, next) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return End { at, closed: true };
                }
            }
            _ => at += 1,
        }
    }
    End { at: text.len(), closed: false }
}

/// Length of the `$tag$` that begins at `at`; 0 where none stands there.
pub(super) fn dollar_tag(text: &[u8], at: usize) -> usize {
    let mut open = at + 1;
    if class(text, open) == Class::Letter {
        // A tag is a name without a dollar sign.
        open = skip(text, open, |byte| matches!(CLASS[usize::from(byte)], Class::Letter | Class::Digit));
    }
    if text.get(open) == Some(&b'$') { open + 1 - at } else { 0 }
}

/// End of a `$tag$…$tag$` that begins at `at`; `None` where no such opening stands there.
pub(super) fn dollar_quoted(text: &[u8], at: usize) -> Option<End> {
    let length = dollar_tag(text, at);
    let tag = text.get(at..at + length).filter(|tag| !tag.is_empty())?;
    let mut from = at + length;
    loop {
        let tail = text.get(from..).unwrap_or_default();
        let Some(stop) = tail.iter().position(|&byte| byte == b'$') else {
            return Some(End { at: text.len(), closed: false });
        };
        from += stop;
        if text[from..].starts_with(tag) {
            return Some(End { at: from + tag.len(), closed: true });
        }
        from += 1;
    }
}

/// `UESCAPE '!'`: what stands in place of a backslash in the `U&"…"` or `U&'…'` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EscapeClause {
    pub(super) character: u8,
    pub(super) end: usize,
}

/// The UESCAPE that follows a literal which ends at `at`.
pub(super) fn escape_clause(text: &[u8], at: usize) -> Option<EscapeClause> {
    let keyword = blank(text, at);
    let after = keyword + b"uescape".len();
    if !text.get(keyword..after)?.eq_ignore_ascii_case(b"uescape") {
        return None;
    }
    let quote = blank(text, after);
    match text.get(quote..quote + 3)? {
        &[b'\'', character, b'\''] => Some(EscapeClause { character, end: quote + 3 }),
        _ => None,
    }
}

/// End of the white space and comments that begin at `at`.
pub(super) fn blank(text: &[u8], mut at: usize) -> usize {
    loop {
        let end = match text.get(at..).unwrap_or_default() {
            [b'-', b'-', ..] => line_comment(text, at + 2),
            [b'/', b'*', ..] => block_comment(text, at + 2).at,
            _ => skip(text, at, |byte| CLASS[usize::from(byte)] == Class::Space),
        };
        if end == at {
            return at;
        }
        at = end;
    }
}

/// End of the operator that begins at `at`, by the server's rules: a comment ends it, and one of several characters
/// ends in a sign only where it has a character that no standard operator has. The signs that are left over are operators of
/// their own.
pub(super) fn operator(text: &[u8], at: usize) -> Operator {
    let mut end = at;
    while class(text, end) == Class::Operator {
        let comment = match text[end] {
            b'-' => text.get(end + 1) == Some(&b'-'),
            b'/' => text.get(end + 1) == Some(&b'*'),
            _ => false,
        };
        if comment {
            break;
        }
        end += 1;
    }
    let signs = end;
    let special = |byte: &u8| matches!(byte, b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`' | b'?');
    if end > at + 1 && matches!(text[end - 1], b'+' | b'-') && !text[at..end].iter().any(special) {
        while end > at + 1 && matches!(text[end - 1], b'+' | b'-') {
            end -= 1;
        }
    }
    Operator { at: end.max(at + 1), signs }
}
