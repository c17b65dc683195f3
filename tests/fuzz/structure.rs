//! Statements made of what SQL is made of, well-formed and broken, from tiny to as long as any rule looks at.

use std::fmt::Write as _;
use std::time::Duration;

use floodwall::clock;
use floodwall::sql::facts::{self, Facts, STACK_BYTES};
use floodwall::sql::lexer::{LIMITS_MAX, Lexed, PIECES_MAX, SHAPE_BYTES_MAX, lex};
use floodwall::sql::{Dialect, Flags, Reading, Strings};

use crate::seed::{Dice, fuzz, seconds};

/// As long as the longest text that is read by default.
const LONG: usize = 16 << 20;
/// What may be kept of a text, however long it is.
const KEPT_MAX: usize = 4 << 20;

/// Nothing that is read keeps more than its bound, reads a shape as another one, or takes the process down.
#[test]
fn structure() {
    on_analyst(|| {
        fuzz("structure", |dice| {
            let mut text = statement(dice);
            if dice.once_in(3) {
                dice.spoil(&mut text);
            }
            check(flags(dice), &text);
        });
    });
}

/// Comments and white space between tokens change no fact and no count.
#[test]
fn spaced() {
    on_analyst(|| {
        fuzz("spaced", |dice| {
            let tokens = tokens(dice);
            let plain = tokens.join(" ");
            let spaced = tokens.iter().fold(String::new(), |mut text, token| {
                text.push_str(dice.one::<&str>(&[" ", "\n\t", " /* ; ' \" */ ", " --'\n", " /*/**/*/ "]));
                text.push_str(token);
                text
            });
            let read = |text: &str| {
                let lexed = lex(Flags::POSTGRES, text.as_bytes());
                let pieces: Vec<_> = lexed.pieces.iter().map(|piece| (piece.verb, piece.marks, piece.counts)).collect();
                (pieces, facts::parse(&lexed), lexed.shape)
            };
            assert!(read(&plain) == read(&spaced), "{plain}\nis not read like\n{spaced}");
        });
    });
}

/// The longest texts of one kind each: what is kept of them is bounded, and what they do is still seen.
#[test]
fn long() {
    // MySQL's flags are those of whoever judges files: shorter where the time is short.
    let (size, mysql) = match seconds() {
        60.. => (LONG, LONG),
        10.. => (LONG, LONG / 4),
        _ => (1 << 20, 1 << 20),
    };
    on_analyst(move || {
        for kind in KINDS {
            let text = kind.repeated(size);
            let lexed = check(Flags::POSTGRES, &text);
            let writes = lexed.pieces.iter().filter(|piece| piece.writes()).count();
            assert_eq!(writes > 0, kind.writes == Writes::Yes, "{}", kind.unit);
            check(Flags::MYSQL, &kind.repeated(mysql));
        }
    });
}

/// Statements in each other, as deep as the parser follows and deeper: what is read at each depth is read once, or a text of a few
/// hundred bytes would take years.
#[test]
fn nested() {
    on_analyst(|| {
        for (head, before, after) in NESTED {
            for depth in [2, 8, 20, 40, 60, 300] {
                let text = format!("{head} {}1 = 1{}", before.repeat(depth), after.repeat(depth));
                let began = clock::now();
                for flags in [Flags::POSTGRES, Flags::MYSQL] {
                    check(flags, text.as_bytes());
                }
                let took = clock::now().saturating_duration_since(began);
                assert!(took < Duration::from_secs(20), "{took:?} for {text}");
            }
        }
    });
}

/// The beginning of a statement, and what stands before and behind the next depth of it.
const NESTED: &[(&str, &str, &str)] = &[
    ("SELECT * FROM t WHERE", "EXISTS (SELECT 1 WHERE ", ")"),
    ("SELECT * FROM t WHERE", "EXISTS (SELECT 1 FROM t WHERE ", ")"),
    ("SELECT * FROM t WHERE", "NOT EXISTS (SELECT 1 FROM t WHERE ", ")"),
    ("DELETE FROM t WHERE", "id IN (SELECT id FROM t WHERE ", ")"),
    ("DELETE FROM t WHERE", "id = ANY (SELECT id FROM t WHERE ", ")"),
    ("DELETE FROM t WHERE", "NOT (a IS NULL AND ", ")"),
    ("DELETE FROM t WHERE", "NOT (NOT (", "))"),
    ("UPDATE t SET a = 1 WHERE", "a = (", ") OR a = 1 OR a = 2 OR a = 3 OR a = 4 OR a <> 5"),
    ("UPDATE t SET a = 1 WHERE", "(", ") = (a = 1) OR NOT a"),
    ("SELECT * FROM t WHERE", "coalesce(", ", a)"),
    ("SELECT * FROM t WHERE", "coalesce(true, ", ")"),
    ("SELECT * FROM t WHERE", "a + 0 = (", ")"),
    ("SELECT * FROM t WHERE", "((", ") IS NOT TRUE)"),
    ("SELECT * FROM t WHERE", "(SELECT ", ")"),
    ("SELECT * FROM t WHERE", "CASE WHEN ", " THEN true END"),
    ("SELECT * FROM t WHERE", "a BETWEEN (", ") AND 5"),
    ("SELECT * FROM t WHERE a IN (", "1, (", ")"),
    ("SELECT * FROM t WHERE", "(1, ", ") = (1, 2)"),
    ("MERGE INTO t USING s ON", "(", ") IS TRUE"),
    ("INSERT INTO t SELECT * FROM s WHERE", "a IN (SELECT a FROM s WHERE ", ")"),
    ("EXPLAIN ANALYZE DELETE FROM t WHERE", "EXISTS (VALUES (", "))"),
    ("COPY (SELECT * FROM t WHERE", "EXISTS (TABLE t) AND (", ")"),
    ("PREPARE p AS SELECT 1 WHERE", "a ~ '.*' AND NOT (", ")"),
    ("DECLARE c CURSOR FOR SELECT 1 WHERE", "EXISTS (SELECT 1 UNION SELECT 1 WHERE ", ")"),
    ("CREATE TABLE x AS SELECT 1 WHERE", "EXISTS (WITH w AS (SELECT 1) SELECT 1 FROM w WHERE ", ")"),
    ("SELECT * FROM t JOIN s ON", "(a = 1 OR ", ") AND t.id = s.id"),
    ("SELECT count(*) FROM t GROUP BY a HAVING", "EXISTS (SELECT max(a) FROM t WHERE ", ")"),
];

/// Reads a text and holds the result to its bounds.
fn check(flags: Flags, text: &[u8]) -> Lexed {
    let lexed = lex(flags, text);
    // A text of MySQL may be read in several ways.
    let readings = if flags.dialect == Dialect::MySql { 7 } else { 1 };
    assert!(lexed.shape.len() <= readings * SHAPE_BYTES_MAX && lexed.limits.len() <= readings * LIMITS_MAX);
    assert!((1..=readings * (PIECES_MAX + 2)).contains(&lexed.pieces.len()));
    for piece in &lexed.pieces {
        assert!(piece.text.start <= piece.text.end && piece.text.end <= text.len());
        assert!(piece.shape.start <= piece.shape.end && piece.shape.end <= lexed.shape.len());
        assert!(piece.body <= lexed.shape.len());
    }
    let facts: Facts = facts::parse(&lexed);
    assert_eq!(facts.statements.len(), lexed.pieces.len());
    let kept = facts.weight_bytes() + Reading::new(&lexed, facts.into()).weight_bytes() + lexed.shape.len();
    assert!(kept < KEPT_MAX, "{kept} bytes are kept");
    lexed
}

/// On a stack like that of the thread that reads shapes in a running proxy.
fn on_analyst(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(test).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn flags(dice: &mut Dice) -> Flags {
    let strings = *dice.one(&[Strings::Standard, Strings::Escapes]);
    dice.one(&[Flags::POSTGRES, Flags::POSTGRES, Flags::MYSQL, Flags::MARIADB]).with_strings(strings)
}

fn statement(dice: &mut Dice) -> Vec<u8> {
    if dice.once_in(30) {
        let size = dice.below(200_000);
        return dice.one(KINDS).repeated(size);
    }
    let mut text = tokens(dice).join(" ");
    for _ in 0..dice.size(3000) {
        let again = tokens(dice).join(" ");
        let _ = write!(text, ";{again}");
        if text.len() > 300_000 {
            break;
        }
    }
    text.into_bytes()
}

/// One statement as its tokens. Strings stand apart, so that white space between two of them is not what makes them one.
fn tokens(dice: &mut Dice) -> Vec<String> {
    let mut out = Tokens { dice, out: Vec::new(), left: 60 };
    out.statement();
    out.out
}

/// What is written so far, and how much more may be.
struct Tokens<'d> {
    dice: &'d mut Dice,
    out: Vec<String>,
    left: usize,
}

impl Tokens<'_> {
    fn put(&mut self, words: &str) {
        self.out.extend(words.split_whitespace().map(str::to_owned));
    }

    fn name(&mut self) {
        let name = *self.dice.one(&["t", "id", "\"a b\"", "größe", "U&\"\\0061\"", "events", "x1"]);
        self.put_one(name);
        if self.dice.once_in(4) {
            self.put(". id");
        }
    }

    fn put_one(&mut self, token: &str) {
        self.out.push(token.to_owned());
    }

    fn statement(&mut self) {
        match self.dice.below(10) {
            0 => self.with(),
            1 => {
                self.put("INSERT INTO t ( a ) VALUES");
                self.list(|own| own.tuple());
            }
            2 => {
                self.put("UPDATE t SET a =");
                self.expression();
                self.condition();
            }
            3 => {
                self.put("DELETE FROM t");
                self.condition();
            }
            4 => {
                let before = *self.dice.one(&[
                    "EXPLAIN",
                    "EXPLAIN ANALYZE",
                    "PREPARE p AS",
                    "DECLARE c CURSOR FOR",
                    "COPY (",
                    "CREATE TABLE t AS",
                ]);
                self.put(before);
                self.select();
                if before == "COPY (" {
                    self.put(") TO STDOUT");
                }
            }
            5 => {
                let other = *self.dice.one(&["BEGIN", "TRUNCATE t", "TABLE t", "SET a = 1", "VALUES ( 1 )", "VACUUM"]);
                self.put(other);
            }
            _ => self.select(),
        }
    }

    fn with(&mut self) {
        self.put("WITH a AS (");
        if self.left > 0 {
            self.left -= 1;
            self.statement();
        } else {
            self.put("SELECT 1");
        }
        self.put(")");
        self.select();
    }

    fn select(&mut self) {
        self.put("SELECT");
        self.list(Self::expression);
        if self.dice.once_in(2) {
            self.put("FROM");
            self.source();
            self.condition();
        }
        if self.left > 0 && self.dice.once_in(5) {
            self.left -= 1;
            let set = *self.dice.one(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            self.put(set);
            return self.select();
        }
        if self.dice.once_in(4) {
            let limit = *self.dice.one(&["LIMIT 10", "LIMIT $1", "LIMIT ALL", "FETCH FIRST 5 ROWS ONLY", "LIMIT - 1"]);
            self.put(limit);
        }
    }

    fn source(&mut self) {
        match self.dice.below(4) {
            0 if self.left > 0 => {
                self.left -= 1;
                self.put("(");
                self.select();
                self.put(") AS s");
            }
            1 if self.left > 0 => {
                self.left -= 1;
                self.name();
                let join = *self.dice.one(&["JOIN", "LEFT JOIN", "CROSS JOIN LATERAL", ","]);
                self.put(join);
                self.source();
            }
            _ => self.name(),
        }
    }

    fn condition(&mut self) {
        if self.dice.once_in(2) {
            self.put("WHERE");
            self.expression();
        }
    }

    fn tuple(&mut self) {
        self.put("(");
        self.list(Self::expression);
        self.put(")");
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self)) {
        item(self);
        for _ in 0..self.dice.size(40).min(self.left) {
            self.put(",");
            item(self);
        }
    }

    fn expression(&mut self) {
        if self.left == 0 {
            return self.value();
        }
        self.left -= 1;
        match self.dice.below(12) {
            0 => self.around("(", ")"),
            1 => self.around("NOT", ""),
            2 => self.around("CASE WHEN", "THEN NULL ELSE 1 END"),
            3 => self.around("f (", ")"),
            4 => self.around("ARRAY [", "]"),
            5 => self.around("CAST (", "AS numeric ( 10 , 2 ) )"),
            6 => {
                self.name();
                self.put("IN (");
                self.list(Self::value);
                self.put(")");
            }
            7 => {
                self.put("(");
                self.select();
                self.put(")");
            }
            8 => {
                self.name();
                self.put("= ANY (");
                self.value();
                self.put(")");
            }
            9 | 10 => {
                self.expression();
                let operator =
                    *self.dice.one(&["+", "-", "AND", "OR", "->", "->>", "||", "=", "<", "IS DISTINCT FROM"]);
                self.put(operator);
                self.expression();
            }
            _ => self.value(),
        }
    }

    fn around(&mut self, before: &str, after: &str) {
        self.put(before);
        self.expression();
        self.put(after);
    }

    fn value(&mut self) {
        let value =
            *self.dice.one(&["1", "0", "1e9", "$1", "'x'", "'{1,2}'", "NULL", "true", "$$;$$", "E'\\''", "id", "a.id"]);
        self.put_one(value);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    Yes,
    No,
}

/// A text that grows by repeating one part.
#[derive(Debug)]
struct Kind {
    before: &'static str,
    unit: &'static str,
    after: &'static str,
    writes: Writes,
}

impl Kind {
    fn repeated(&self, size: usize) -> Vec<u8> {
        let mut text = self.before.as_bytes().to_vec();
        while text.len() + self.unit.len() < size {
            text.extend_from_slice(self.unit.as_bytes());
        }
        text.extend_from_slice(self.after.as_bytes());
        text
    }
}

const fn kind(before: &'static str, unit: &'static str, after: &'static str) -> Kind {
    Kind { before, unit, after, writes: Writes::No }
}

const fn write(before: &'static str, unit: &'static str, after: &'static str) -> Kind {
    Kind { before, unit, after, writes: Writes::Yes }
}

const KINDS: &[Kind] = &[
    kind("SELECT ", "(", "1"),
    kind("SELECT 1", ")", ""),
    kind("SELECT ", "1+", "1"),
    kind("SELECT a", "->1", ""),
    kind("SELECT ", "NOT ", "true"),
    kind("SELECT ", "CASE WHEN a THEN ", "1"),
    kind("SELECT CASE", " WHEN a THEN 1", " END"),
    kind("SELECT ", "f(", "1"),
    kind("SELECT ", "(SELECT ", "1"),
    kind("SELECT ARRAY", "[", "1"),
    kind("SELECT ", "CAST(", "1"),
    kind("SELECT 1 WHERE ", "a AND ", "b"),
    kind("SELECT 1", " UNION SELECT 1", ""),
    kind("", "WITH a AS (", "SELECT 1"),
    kind("SELECT * FROM t WHERE id IN (1", ",1", ")"),
    kind("SELECT a FROM t WHERE id = ANY ('{1", ",1", "}')"),
    kind("SELECT '", "xy''", "'"),
    kind("SELECT $a$", "$b$", "$a$"),
    kind("SELECT \"", "n\"\"", "\""),
    kind("SELECT ", "word", ""),
    kind("SELECT 1 ", "+", "1"),
    kind("", "/*", ""),
    kind("", "--x\n", "SELECT 1"),
    kind("", "a;", ""),
    kind("", "SELECT a FROM t LIMIT 5;", ""),
    kind("SELECT ", "1 LIMIT 1 ", ""),
    kind("SELECT * FROM ", "(", "a"),
    kind("SELECT * FROM a", " JOIN a", ""),
    kind("", "é", ""),
    kind("", "\0", ""),
    write("", "INSERT INTO t VALUES (1);", ""),
    write("INSERT INTO t VALUES (1)", ",(1)", ""),
    write("UPDATE t SET a = ", "(", "1"),
    write("", "DELETE FROM t WHERE a = 1;", ""),
    write("", "WITH a AS (DELETE FROM t WHERE ", ""),
    write("SELECT 1;", "SELECT 1;", "DELETE FROM t"),
    kind("SELECT 1 WHERE ", "a = 1 OR a <> 1 OR ", "b"),
    kind("SELECT 1 WHERE ", "a IS NULL OR ", "b"),
    kind("SELECT 1 WHERE a", ".a", " = 5 OR a <> 5"),
    kind("SELECT 1 WHERE ", "a.a.a.a.a.a.a.a.a.a = 5 OR b IS NULL OR ", "b"),
    kind("SELECT 1 WHERE a = 5 OR (b <> 5", ", b <> 5", ")"),
    kind("SELECT 1 WHERE ", "a ~ '.*' OR ", "b"),
    kind("SELECT 1 FROM t", " TABLESAMPLE SYSTEM (100)", ""),
    kind("SELECT ", "EXISTS (SELECT 1 WHERE ", "true"),
    kind("SELECT ", "coalesce(NULL, ", "1"),
    kind("SELECT * FROM t", " FETCH FIRST ROW WITH TIES", ""),
    kind("SELECT * FROM JSON_TABLE(a, '$' COLUMNS (", "NESTED PATH '$' COLUMNS (", "a int PATH '$'"),
    kind("SELECT * FROM t", " USE KEY FOR JOIN (a)", ""),
    kind("SELECT * FROM t", " LEFT JOIN (a, b)", ""),
    kind("SELECT ", "json_value(", "1"),
    kind("SELECT ", "a MOD ", "1"),
    kind("SELECT ", "/*! 1 + */", "1"),
    kind("COPY (", "(", "SELECT 1"),
    kind("PREPARE p AS ", "(", "SELECT 1"),
    kind("EXPLAIN (", "ANALYZE, ", "VERBOSE) SELECT 1"),
    kind("DO $$ BEGIN ", "NULL;", " END $$"),
    kind("", "EXECUTE p(1);", ""),
    kind("DECLARE c CURSOR FOR ", "(", "SELECT 1"),
    kind("CREATE TABLE t AS ", "(", "SELECT 1"),
    kind("CALL p(", "(", "1"),
    kind("VALUES (1)", ",(1)", ""),
    kind("TABLE t", " UNION TABLE t", ""),
    kind("SET a = 1", ",1", ""),
    write("MERGE INTO t USING s ON true", " WHEN MATCHED THEN DELETE", ""),
    write("DELETE FROM t USING a", ", a", " WHERE t.id = a.id"),
];
