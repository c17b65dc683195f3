//! Random texts: every reader of SQL comes to an end, and says of a text what it said before.

use super::time::now;
use super::*;

/// Bytes and statements put together at random.
#[test]
fn fuzz_lexer() {
    fuzz(Duration::from_secs(1), 1, |text, flags| {
        let lexed = lex(flags, text);
        assert!(!lexed.pieces.is_empty());
        let mut end = 0;
        for piece in &lexed.pieces {
            assert!(piece.text.start <= piece.text.end && piece.text.end <= text.len());
            assert!(piece.text.start >= end || piece.marks.has(Marks::ASIDE));
            assert!(piece.shape.start <= piece.body && piece.body <= piece.shape.end, "{piece:?}");
            assert!(lexed.shape.get(piece.shape.clone()).is_some() && lexed.limits.get(piece.limits.clone()).is_some());
            assert!(lexed.arrays.get(piece.arrays.clone()).is_some(), "{piece:?}");
            end = piece.text.end;
            for limit in &lexed.limits[piece.limits.clone()] {
                let mark = if flags.dialect == Dialect::MySql { b"?2" } else { b"$2" };
                assert_eq!(lexed.shape.get(limit.at..limit.at + 2), Some(&mark[..]));
            }
        }
        // Three readings and the texts of PREPARE at the most.
        let readings = if flags.dialect == Dialect::MySql { 7 } else { 1 };
        assert!(lexed.shape.len() <= readings * (4 * text.len() + 16), "a shape grows by no more than its spaces");
    });
}

/// A shape is its own shape as far as its statements go: nothing is read differently the second time.
#[test]
fn fuzz_shapes_settle() {
    fuzz(Duration::from_secs(1), 2, |text, flags| {
        let first = lex(flags, text);
        if first.pieces.iter().any(|piece| piece.marks.has(Marks::UNTERMINATED)) {
            return;
        }
        // A text with a tail set aside is read once more for each reading: only whole readings are compared.
        if first.pieces.iter().any(|piece| piece.marks.has(Marks::ASIDE)) {
            return;
        }
        let second = lex(Flags::of(flags.dialect), &first.shape);
        assert_eq!(first.pieces.len(), second.pieces.len(), "{}", String::from_utf8_lossy(&first.shape));
        let verbs = |lexed: &Lexed| lexed.pieces.iter().map(|piece| (piece.verb, piece.inner)).collect::<Vec<_>>();
        assert_eq!(verbs(&first), verbs(&second), "{}", String::from_utf8_lossy(&first.shape));
    });
}

#[test]
fn fuzz_facts() {
    fuzz(Duration::from_secs(1), 3, |text, flags| {
        let lexed = lex(flags, text);
        let facts = facts::parse(&lexed);
        assert_eq!(facts.statements.len(), lexed.pieces.len());
        assert!(facts.statements.iter().all(|statement| statement.reach.weight() <= 20_000));
    });
}

/// Runs `check` on random texts until the time is up, FLOODWALL_FUZZ_SECONDS where set. The same seed gives the same
/// texts, so what fails is printed and can be run again.
pub(crate) fn fuzz(budget: Duration, seed: u64, check: impl FnMut(&[u8], Flags) + Send + 'static) {
    let seconds = std::env::var("FLOODWALL_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let budget = seconds.map_or(budget, Duration::from_secs);
    let thread = std::thread::Builder::new().stack_size(facts::STACK_BYTES);
    thread.spawn(move || run_fuzz(budget, seed, check)).unwrap().join().unwrap();
}

fn run_fuzz(budget: Duration, seed: u64, mut check: impl FnMut(&[u8], Flags)) {
    let mut texts = [Texts::new(seed, Dialect::Postgres), Texts::new(seed, Dialect::MySql)];
    let start = now();
    while start.elapsed() < budget {
        for turn in 0..50 {
            let (text, flags) = texts[turn % 2].next();
            let shown = Shown(&text);
            check(&text, flags);
            std::mem::forget(shown);
        }
    }
}

/// Prints the text that was being checked when a check failed.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("the text: {:?}", String::from_utf8_lossy(self.0));
    }
}

/// Random texts: statements of the corpus with tokens dropped, doubled, swapped and spliced, runs of fragments that
/// lexers stumble over, and plain bytes.
struct Texts {
    state: u64,
    dialect: Dialect,
    corpus: Vec<Vec<&'static str>>,
}

const FRAGMENTS: &[&str] = &[
    "SELECT", "*", "FROM", "big", "WHERE", "1", "=", "1", "'a'", "E'\\'", "'", "\"", "\"a\"", "$1", "$$", "$a$", "(",
    ")", "[", "]", ",", ";", "--", "\n", "/*", "*/", "LIMIT", "10", "IN", "VALUES", "(1)", "CASE", "WHEN", "THEN",
    "ELSE", "END", "WITH", "AS", "x", "DELETE", "UPDATE", "SET", "INSERT", "INTO", "EXPLAIN", "ANALYZE", "PREPARE",
    "COPY", "DECLARE", "FOR", "UNION", "ALL", "AND", "OR", "NOT", "NULL", "true", "::", "int", "ARRAY", "ANY",
    "unnest", "id", ">", "0", "-", "+", ".", "FETCH", "FIRST", "GROUP", "BY", "JOIN", "ON", "U&\"", "interval",
    "BEGIN", "ATOMIC", "CREATE", "\\", "\u{e9}", "{", "TRUNCATE",
];

const MYSQL_FRAGMENTS: &[&str] = &[
    "/*!",
    "/*!50000 ",
    "/*!99999 ",
    "/*M!",
    "*/",
    "/*",
    "#",
    "-- ",
    "--",
    "`",
    "`a`",
    "\"",
    "'",
    "\\",
    "\\'",
    "@",
    "@@",
    "?",
    ":=",
    "{",
    "OJ",
    "}",
    "||",
    "&&",
    "!",
    "<=>",
    "->",
    "->>",
    "0x1",
    "x'1f'",
    "_utf8'x'",
    "N'",
    "1a",
    "1e5",
    ".5",
    "LIMIT",
    "1",
    ",",
    "2",
    "ROW",
    "VALUES",
    "VALUE",
    "REPLACE",
    "INSERT",
    "(1)",
    "(",
    ")",
    "IF",
    "THEN",
    "LOOP",
    "REPEAT",
    "WHILE",
    "DO",
    "CASE",
    "WHEN",
    "ELSE",
    "END",
    "BEGIN",
    "NOT",
    "ATOMIC",
    ";",
    "PROCEDURE",
    "CREATE",
    "PREPARE",
    "p",
    "FROM",
    "'SELECT 1'",
    "EXECUTE",
    "IMMEDIATE",
    "SET",
    "STATEMENT",
    "FOR",
    "SELECT",
    "DELETE",
    "UPDATE",
    "t",
    "WHERE",
    "HANDLER",
    "READ",
    "ANALYZE",
    "EXPLAIN",
    "HAVING",
    "LOCK",
    "IN",
    "SHARE",
    "MODE",
    "TABLE",
    "UNION",
    "DUAL",
    "INTO",
    "\u{e9}",
    "\n",
    "as",
    "'a'",
    "id",
    ">",
    "0",
];

impl Texts {
    fn new(seed: u64, dialect: Dialect) -> Self {
        let all = match dialect {
            Dialect::Postgres => [
                include_str!("../corpus/refused.txt"),
                include_str!("../corpus/passes.txt"),
                include_str!("../corpus/ordinary.txt"),
            ],
            Dialect::MySql => [
                include_str!("../corpus/mysql_refused.txt"),
                include_str!("../corpus/mysql_passes.txt"),
                include_str!("../corpus/mysql_ordinary.txt"),
            ],
        };
        let lines = all.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
        let corpus = lines.map(|line| line.split_inclusive([' ', ',', '(', ')', '\'']).collect()).collect();
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15, dialect, corpus }
    }

    /// splitmix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % bound.max(1) as u64).unwrap()
    }

    fn next(&mut self) -> (Vec<u8>, Flags) {
        let rare = self.below(8) == 0;
        let strings = if rare == (self.dialect == Dialect::Postgres) { Strings::Escapes } else { Strings::Standard };
        let text = match self.below(10) {
            0 => (0..self.below(200)).map(|_| self.random() as u8).collect(),
            1..=3 => self.fragments().into_bytes(),
            _ => self.spliced().into_bytes(),
        };
        let flags = match self.dialect {
            Dialect::Postgres => Flags::POSTGRES,
            Dialect::MySql => self.mysql_flags(),
        };
        (self.scarred(text), flags.with_strings(strings))
    }

    fn mysql_flags(&mut self) -> Flags {
        let flags = if self.below(2) == 0 { Flags::MYSQL } else { Flags::MARIADB };
        flags.with_quotes(if self.below(4) == 0 { Quotes::Name } else { Quotes::Text })
    }

    fn fragment(&mut self) -> &'static str {
        let own = self.dialect == Dialect::MySql && self.below(4) > 0;
        let fragments = if own { MYSQL_FRAGMENTS } else { FRAGMENTS };
        fragments[self.below(fragments.len())]
    }

    fn fragments(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(60) {
            text.push_str(self.fragment());
            if self.below(3) > 0 {
                text.push(' ');
            }
        }
        text
    }

    fn spliced(&mut self) -> String {
        let pick = self.below(self.corpus.len());
        let mut tokens = self.corpus[pick].clone();
        for _ in 0..self.below(4) {
            let at = self.below(tokens.len());
            match self.below(5) {
                0 if !tokens.is_empty() => drop(tokens.remove(at)),
                1 if !tokens.is_empty() => tokens.insert(at, tokens[at]),
                2 => tokens.insert(at, self.fragment()),
                3 => {
                    let other = self.below(self.corpus.len());
                    let from = self.below(self.corpus[other].len());
                    let tail: Vec<_> = self.corpus[other][from..].to_vec();
                    tokens.splice(at.., tail);
                }
                _ => {
                    let other = self.below(tokens.len());
                    if !tokens.is_empty() {
                        tokens.swap(at, other);
                    }
                }
            }
        }
        tokens.join(if self.below(4) == 0 { " " } else { "" })
    }

    fn scarred(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        if self.below(10) == 0 && !text.is_empty() {
            let at = self.below(text.len());
            text[at] = self.random() as u8;
        }
        if self.below(10) == 0 {
            text.truncate(self.below(text.len() + 1));
        }
        text
    }
}
