//! Texts that differ in nothing but numbers, told without reading them.
//!
//! A number that stands by itself, such as the 4711 in `WHERE aid = 4711`, is a placeholder in the shape whatever its digits are, unless
//! something looks at its value. The mask of a text has NUL in place of the digits of each such number. Where the lexer says that it
//! looked at none of them ([`Lexed::numbers`](super::Lexed::numbers)), it reads the same in every text of that mask: they are equal in
//! length and in all that is not hidden, so each token of the one stands at the same place in the other. What stands behind LIMIT is
//! looked at, and the same in most texts of a program: it is not hidden, so texts with another limit have another mask.

use memchr::memchr;

use super::lexer::Numbers;

/// Longer texts have no mask: reading them is not what their statements take.
pub const MASKED_MAX: usize = 4096;

/// Writes the mask of a text. How many numbers it hides; `None` where that is none.
pub fn mask(text: &[u8], out: &mut Vec<u8>) -> Option<Masked> {
    out.clear();
    if text.len() > MASKED_MAX || memchr(0, text).is_some() {
        return None;
    }
    out.extend_from_slice(text);
    let (mut numbers, mut at) = (0, 0);
    while let Some(start) = next(text, at, |byte| byte.is_ascii_digit()) {
        let end = next(text, start, |byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        if stands_alone(text, start, end) {
            out.get_mut(start..end).unwrap_or_default().fill(0);
            numbers += 1;
        }
        at = end;
    }
    (numbers > 0).then_some(Masked(numbers))
}

/// How many numbers a mask hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masked(u32);

impl Masked {
    /// True where every number that is hidden was read as one that may be any other.
    pub fn is_of(self, numbers: Numbers) -> bool {
        numbers == Numbers::Plain(self.0)
    }
}

/// True where digits are a number of 10 or more, nothing around them could belong to it, and it is no limit.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let digits = text.get(start..end).unwrap_or_default();
    matches!(before, Some(b' ' | b'=' | b'(' | b',' | b'<' | b'>'))
        && matches!(digits, [b'1'..=b'9', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
        && matches!(text.get(end), None | Some(b' ' | b')' | b',' | b';'))
        && !text.get(..start).unwrap_or_default().last_chunk().is_some_and(is_limit)
}

fn is_limit(word: &[u8; 6]) -> bool {
    word.eq_ignore_ascii_case(b"limit ")
}

/// The first byte from `from` on that is one of these.
fn next(text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let found = text.get(from..)?.iter().position(|&byte| wanted(byte))?;
    Some(from + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Flags;
    use crate::sql::lexer::{Lexed, lex};

    fn masked(text: &str) -> Option<(String, Lexed)> {
        let mut out = Vec::new();
        let hidden = mask(text.as_bytes(), &mut out)?;
        let lexed = lex(Flags::POSTGRES, text.as_bytes());
        hidden.is_of(lexed.numbers).then(|| (String::from_utf8(out).unwrap().replace('\0', "#"), lexed))
    }

    #[test]
    fn numbers_that_nothing_looks_at_are_hidden() {
        for (text, hidden) in [
            (
                "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
                "SELECT abalance FROM pgbench_accounts WHERE aid = ####;",
            ),
            ("SELECT * FROM t2 WHERE a=10 AND b >= 99", "SELECT * FROM t2 WHERE a=## AND b >= ##"),
            ("SELECT * FROM t WHERE id = 10", "SELECT * FROM t WHERE id = ##"),
            ("SELECT * FROM t WHERE a IN (10, 20,30)", "SELECT * FROM t WHERE a IN (##, ##,##)"),
            ("INSERT INTO t VALUES (12, 'it''s 12', 1.5, 007)", "INSERT INTO t VALUES (##, 'it''s 12', 1.5, 007)"),
            ("UPDATE t SET a = a + 10 WHERE b = $1", "UPDATE t SET a = a + ## WHERE b = $1"),
            (
                "SELECT a FROM t WHERE a = 12 ORDER BY a LIMIT 21 OFFSET 40",
                "SELECT a FROM t WHERE a = ## ORDER BY a LIMIT 21 OFFSET ##",
            ),
            ("SELECT a FROM t WHERE a = 12 limit 21;", "SELECT a FROM t WHERE a = ## limit 21;"),
        ] {
            assert_eq!(masked(text).map(|(mask, _)| mask).as_deref(), Some(hidden), "{text}");
        }
    }

    #[test]
    fn texts_with_a_number_that_something_looks_at_have_no_mask() {
        for text in [
            "SELECT * FROM t LIMIT 10",
            "SELECT * FROM t WHERE a = 12 LIMIT 10 + 15",
            "SELECT * FROM t WHERE a = 12 LIMIT  10",
            "SELECT * FROM t WHERE a = 12 LIMIT (10)",
            "SELECT 'a = 12', a limit 10 FROM t",
            "SELECT * FROM t FETCH FIRST 10 ROWS ONLY",
            "SELECT * FROM t WHERE 10 = 10",
            "SELECT * FROM t WHERE 10 < 20",
            "SELECT * FROM t WHERE '12' = 12",
            "SELECT * FROM t WHERE 12 = '12'",
            "SELECT * FROM t WHERE 12 > $1",
            "SELECT * FROM t WHERE a = 12 OR a <> 12",
            "SELECT * FROM t WHERE a < 12 OR a >= 13",
            "SELECT * FROM t TABLESAMPLE SYSTEM (100)",
            "SELECT 'a = 12'",
            "SELECT 1 -- 12",
            "SELECT 1 /* 12 */",
            "SELECT \"a 12\" FROM t",
            "SELECT $$ 12 $$",
            "SELECT CAST(a AS varchar(12)) FROM t",
            "DO $$ BEGIN DELETE FROM t WHERE a = 12; END $$",
            "DO $$ BEGIN PERFORM 1; END $$; SELECT 12",
            "EXPLAIN (ANALYZE 12) SELECT 1",
            "SELECT * FROM t WHERE id = 1",
            "SELECT * FROM t",
        ] {
            assert!(masked(text).is_none(), "{text}");
        }
        assert_eq!(mask(b"SELECT 12\0 12", &mut Vec::new()), None);
        assert_eq!(mask(&[b"SELECT 12", &[b' '; MASKED_MAX][..]].concat(), &mut Vec::new()), None);
    }

    /// Statements with numbers wherever something may look at them.
    const TEXTS: &[&str] = &[
        "SELECT a FROM t WHERE b = # AND (c < # OR d IN (#, #, #)) ORDER BY # LIMIT #",
        "SELECT a FROM t WHERE b = # AND c BETWEEN # AND #",
        "SELECT a FROM t WHERE id = # OR # = id OR pk <> #",
        "SELECT a FROM t WHERE # = # OR # > b",
        "SELECT a FROM t WHERE b = # OR b <> # OR c < # OR d IS NULL OR c >= #",
        "SELECT a FROM t TABLESAMPLE SYSTEM (#) WHERE b % # <> #",
        "SELECT a FROM t WHERE # AND NOT # OR -# = b",
        "SELECT a FROM t WHERE a = - # AND b = + # LIMIT # + #",
        "SELECT a FROM t OFFSET # LIMIT # FOR UPDATE",
        "INSERT INTO t VALUES (#, 'x #', #), (#, e'\\' # ', #) ON CONFLICT DO UPDATE SET a = #",
        "UPDATE t SET a = # WHERE b = ANY ('{#,#}') AND c = ANY (ARRAY[#, #])",
        "DELETE FROM t WHERE a = # ; SELECT # ; SET statement_timeout = #",
        "DELETE FROM t WHERE b = # OR b <> #",
        "DELETE FROM t WHERE NOT (b < # AND b >= #) OR b = #",
        "SELECT a FROM t TABLESAMPLE bernoulli (#) WHERE b BETWEEN # AND #",
        "SELECT CASE WHEN a = # THEN # ELSE # END::numeric(#, #) FROM t",
        "SELECT interval '# days', date '#', U&'# ' UESCAPE '!', $q$ # $q$, # /* # */ -- #",
        "EXPLAIN (ANALYZE #, BUFFERS #) SELECT # FROM generate_series(#, #)",
        "DO $$ BEGIN EXECUTE 'SELECT #'; LIMIT #; END $$ ; SELECT #",
        "FETCH # FROM c; MOVE # IN c; SELECT #e, # .#, #.#, 0x#, #_#",
        "WITH x AS (SELECT #) SELECT # FROM x WHERE a->> # = # AND b @> '[#]' AND c % # = #",
        "COPY t FROM STDIN WITH (FREEZE #); PREPARE p AS SELECT # LIMIT #; EXECUTE p(#, #)",
    ];

    /// Numbers that are told apart somewhere, and others of as many digits.
    const NUMBERS: &[&str] =
        &["0", "1", "2", "9", "10", "11", "99", "00", "01", "100", "000", "4711", "9999", "1234567890123456789"];

    #[test]
    fn texts_of_one_mask_read_the_same() {
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut read = std::collections::HashMap::new();
        let mut met_again = 0;
        for _ in 0..40_000 {
            let mut text = String::new();
            // Most numbers are of one length, so that masks come again.
            let usual = random(4);
            for part in TEXTS[random(TEXTS.len())].split_inclusive('#') {
                let number = if random(8) == 0 {
                    NUMBERS[random(NUMBERS.len())]
                } else {
                    NUMBERS[4 + random(3) + usual % 2 * 3]
                };
                text.push_str(&part.replace('#', number));
            }
            let Some((mask, lexed)) = masked(&text) else { continue };
            let (first, known) = read.entry(mask).or_insert_with(|| (text.clone(), lexed.clone()));
            assert_eq!(*known, lexed, "{first}\n{text}");
            met_again += usize::from(*first != text);
        }
        assert!(met_again > 1_000, "{met_again}");
    }

    /// What is kept under a mask is found by every text of that mask, so the texts that may not be hidden must have other masks.
    #[test]
    fn a_mask_that_was_kept_is_no_other_texts() {
        let mut kept = std::collections::HashMap::new();
        let pairs = || NUMBERS.iter().flat_map(|number| NUMBERS.iter().map(move |other| [number, other]));
        for text in TEXTS.iter().flat_map(|template| pairs().map(|pair| filled(template, pair))) {
            let mut out = Vec::new();
            let Some(hidden) = mask(text.as_bytes(), &mut out) else { continue };
            let lexed = lex(Flags::POSTGRES, text.as_bytes());
            let plain = hidden.is_of(lexed.numbers);
            let known = kept.entry(out).or_insert_with(|| (plain, lexed.clone()));
            assert_eq!(known.0, plain, "{text}");
            assert!(!plain || known.1 == lexed, "{text}");
        }
    }

    /// A template with two numbers in turn.
    fn filled(template: &str, numbers: [&&str; 2]) -> String {
        let parts = template.split_inclusive('#').zip(numbers.iter().cycle());
        parts.map(|(part, number)| part.replace('#', number)).collect()
    }
}
