//! What a shape says: the rows that a query may send, and the filters of its writes.
//!
//! The parser runs on the shape only, never on a client's text, and only where a shape is new. It recurses, and so
//! does dropping what it builds: call [`parse`] on a thread with a stack of [`STACK_BYTES`], never on a worker.
//! What the parser cannot read is `adapt`ed, or else read by `scan`, which knows the clauses of a statement and no more.
//!
//! `select` works out the reach of a query: `join` and `keyed` what its tables make of each other, `conditions` and `truth` what its filters
//! leave out, `calls` and `cap` what is left of the rows. `write` and `inside` tell what is written, `traces` what stays in the session.

mod adapt;
mod builtin;
mod calls;
mod cap;
pub mod claims;
mod compare;
mod complement;
mod conditions;
mod constant;
mod cut;
mod database;
mod functions;
mod inside;
mod join;
pub mod keyed;
mod mysql;
mod reach;
mod relations;
mod scan;
mod select;
mod tokens;
mod traces;
mod truth;
mod unreadable;
mod whole;
mod write;
mod written;

use super::dialect::Dialect;
use super::lexer::{Lexed, Marks, Piece, Wrap};
use super::schema::TableName;
use super::verb::Verb;
pub use reach::{Linked, Reach};
pub use traces::{Left, Traces};
pub use unreadable::Unreadable;
pub use written::{Filter, Write, WriteKind};

/// The stack that [`parse`] wants.
pub const STACK_BYTES: usize = 64 << 20;

/// Longest statement, in bytes of shape, that the parser is asked to read.
pub const PARSED_BYTES_MAX: usize = 64 << 10;

/// Most tokens of one statement.
const TOKENS_MAX: usize = 8_000;

/// Where the facts of a statement come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The verb says all that is to know.
    Verb,
    /// The parser read it.
    Parsed,
    /// The parser failed, so only its clauses were looked at.
    Scanned(Unreadable),
}

/// What is known of one statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Statement {
    /// Rows that it may send to the client.
    pub reach: Reach,
    /// The tables that `reach` speaks of, by index.
    pub tables: Vec<TableName>,
    /// Its writes.
    pub writes: Vec<Write>,
    /// Rows that all its writes change together, INSERT and MERGE included. Only the parser can tell.
    pub changed: Reach,
    /// How it was read.
    pub source: Source,
}

impl Statement {
    /// A statement that sends no rows and writes nothing that a filter could narrow.
    pub const SILENT: Self = Self {
        reach: Reach::Silent,
        tables: Vec::new(),
        writes: Vec::new(),
        changed: Reach::Silent,
        source: Source::Verb,
    };
}

/// What is known of a shape: one entry for each statement, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Facts {
    /// One for each piece.
    pub statements: Vec<Statement>,
    /// What all of them leave behind in the session.
    pub left: Left,
}

impl Facts {
    /// About how much memory this takes: for a cache that counts bytes.
    pub fn weight_bytes(&self) -> usize {
        let tables = |statement: &Statement| statement.tables.len() * 96 + statement.writes.len() * 128;
        let statement = |statement: &Statement| {
            let nodes = statement.reach.weight() + statement.changed.weight();
            160 + tables(statement) + nodes * 64
        };
        self.statements.iter().map(statement).sum::<usize>() + self.left.weight_bytes()
    }

    /// The first statement that the parser could not read, with the reason.
    pub fn unreadable(&self) -> Option<(usize, Unreadable)> {
        self.statements.iter().enumerate().find_map(|(index, statement)| match statement.source {
            Source::Scanned(reason) => Some((index, reason)),
            Source::Verb | Source::Parsed => None,
        })
    }
}

/// Reads a shape. Costs 4 to 40 us for ordinary statements; see the module about the stack.
pub fn parse(lexed: &Lexed) -> Facts {
    parse_while(lexed, &mut || true)
}

/// As [`parse`], for as long as `go_on` says so: the statements that are left then are read by their clauses.
pub fn parse_while(lexed: &Lexed, go_on: &mut dyn FnMut() -> bool) -> Facts {
    let mut read =
        |piece| if go_on() { statement(lexed, piece, Depth::Parsed) } else { statement(lexed, piece, Depth::Scanned) };
    Facts { statements: lexed.pieces.iter().map(&mut read).collect(), left: traces::left(lexed) }
}

/// How thoroughly a statement is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Parsed,
    Scanned,
}

fn statement(lexed: &Lexed, piece: &Piece, depth: Depth) -> Statement {
    let shape = lexed.shape.get(piece.body.max(piece.shape.start)..piece.shape.end).unwrap_or_default();
    let text = readable(shape);
    let text = if piece.wrap == Wrap::CopyOut { tokens::parenthesised(lexed.dialect, &text) } else { &text };
    if piece.marks.has(Marks::CUT) {
        return cut::statement(lexed.dialect, text, piece);
    }
    if piece.inner == Verb::Truncate {
        return Statement { writes: vec![scan::truncate(lexed.dialect, text)], ..Statement::SILENT };
    }
    if piece.verb == Verb::Handler {
        return mysql::handler(text);
    }
    if piece.inner.queries() || piece.inner.writes() {
        return match depth {
            Depth::Parsed => read(lexed.dialect, text, piece.inner),
            Depth::Scanned => scan::statement(lexed.dialect, text, piece.inner, Unreadable::TooSlow),
        };
    }
    let writes = match lexed.dialect {
        Dialect::Postgres => inside::writes(piece, text),
        Dialect::MySql => mysql::writes_inside(piece, text),
    };
    Statement { writes, ..Statement::SILENT }
}

/// Reads one statement: by the parser, or else by its clauses.
fn read(dialect: Dialect, text: &str, verb: Verb) -> Statement {
    if dialect == Dialect::MySql && verb.queries() && mysql::has_into(text) {
        return Statement { source: Source::Parsed, ..Statement::SILENT };
    }
    match parsed(dialect, text) {
        Ok(statement) => statement,
        Err(reason) => scan::statement(dialect, text, verb, reason),
    }
}

fn parsed(dialect: Dialect, text: &str) -> Result<Statement, Unreadable> {
    if text.len() > PARSED_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let ast = scan::parse_statement(dialect, text)?;
    let mut reader = select::Reader::of(dialect);
    let reach = reader.statement(&ast);
    let changed = reader.changed.into_iter().reduce(Reach::sum).unwrap_or(Reach::Silent);
    Ok(Statement { reach, tables: reader.tables, writes: reader.writes, changed, source: Source::Parsed })
}

/// The shape as text. A client's encoding may be any: a byte that is not UTF-8 stands for itself, so that what a rule
/// reads stays the same length in characters and no table name is lost.
fn readable(shape: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(shape) {
        Ok(text) => text.into(),
        Err(_) => shape.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
    }
}
