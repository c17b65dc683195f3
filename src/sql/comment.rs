//! The comments at the two ends of a text.
//!
//! Drivers and ORMs put what they want to say about a statement before or behind it. A comment in the middle is not looked for,
//! so that this needs no pass over the text: its time is bounded whatever the text's length.

/// Comments that are looked at, at each end.
const EACH_END: usize = 4;
/// A comment that is longer ends the search at its end of the text.
pub const COMMENT_BYTES_MAX: usize = 2048;

/// What stands inside the `/* … */` at the beginning of a text, then at its end, from the outside inwards. At most four of
/// each end, each of at most [`COMMENT_BYTES_MAX`] bytes.
pub fn at_the_ends(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut head, mut tail) = (text, text);
    let first = std::iter::from_fn(move || {
        let (comment, rest) = leading(head)?;
        head = rest;
        Some(comment)
    });
    let last = std::iter::from_fn(move || {
        let (comment, rest) = trailing(tail)?;
        tail = rest;
        Some(comment)
    });
    first.take(EACH_END).chain(last.take(EACH_END))
}

fn leading(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"/*")?;
    let window = text.get(..COMMENT_BYTES_MAX).unwrap_or(text);
    let end = window.windows(2).position(|pair| pair == b"*/")?;
    Some((text.get(..end)?, text.get(end + 2..)?))
}

fn trailing(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = trim_end(text).strip_suffix(b"*/")?;
    let window = text.len().saturating_sub(COMMENT_BYTES_MAX);
    let begin = window + text.get(window..)?.windows(2).rposition(|pair| pair == b"/*")?;
    Some((text.get(begin + 2..)?, text.get(..begin)?))
}

/// White space and semicolons at the end belong to no statement.
fn trim_end(mut text: &[u8]) -> &[u8] {
    while let Some((&last, rest)) = text.split_last()
        && (last == b';' || last.is_ascii_whitespace())
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        at_the_ends(text.as_bytes()).map(|comment| std::str::from_utf8(comment).unwrap()).collect()
    }

    #[test]
    fn both_ends_are_looked_at_and_the_middle_is_not() {
        assert_eq!(found(" /* a */\n/*b*/ SELECT /* c */ 1 /*d*/ /* e */ ; \n"), [" a ", "b", " e ", "d"]);
        assert_eq!(found("SELECT /* c */ 1"), [""; 0]);
        assert_eq!(found("/* a */"), [" a ", " a "]);
        assert_eq!(found(""), [""; 0]);
    }

    #[test]
    fn what_is_no_whole_comment_is_none() {
        for text in ["/* a", "a */", "/*/", "*/", "/", ";", "-- /* a */ b"] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn long_comments_and_many_of_them_end_the_search() {
        let long = format!("/*{}*/ SELECT 1", "x".repeat(COMMENT_BYTES_MAX));
        assert_eq!(found(&long), [""; 0]);
        assert_eq!(found(&format!("{}SELECT 1", "/*x*/".repeat(100))).len(), EACH_END);
    }
}
