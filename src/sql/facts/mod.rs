//! What a shape says: the rows that a query may send, and the filters of its writes.
//!
//! The parser runs on the shape only, never on a client's text, and only where a shape is new. It recurses, and so
//! does dropping what it builds: call [`parse`] on a thread with a stack of [`STACK_BYTES`], never on a worker.
//! What the parser cannot read is read by `scan`, which knows the clauses of a statement and no more.

mod calls;
mod join;
mod mysql;
mod reach;
mod scan;
mod select;
mod truth;
mod write;

use super::dialect::Dialect;
use super::lexer::{Lexed, Piece, Wrap};
use super::schema::TableName;
use super::verb::Verb;
pub use reach::Reach;

/// The stack that [`parse`] wants.
pub const STACK_BYTES: usize = 64 << 20;

/// Longest statement, in bytes of shape, that the parser is asked to read.
const SHAPE_BYTES_MAX: usize = 64 << 10;

/// Most tokens of one statement.
const TOKENS_MAX: usize = 8_000;

/// What narrows a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// No WHERE at all.
    None,
    /// A WHERE that is true for every row.
    ConstantTrue,
    /// Only a LIMIT, as MySQL has it: an index into the limits of the piece.
    Limited(u16),
    /// Anything else.
    Real,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `TRUNCATE`.
    Truncate,
}

impl WriteKind {
    /// Its keyword.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
        }
    }
}

/// An UPDATE, DELETE or TRUNCATE, the statement itself or in its WITH.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// What it does.
    pub kind: WriteKind,
    /// Its table, where the name could be read.
    pub table: Option<TableName>,
    /// What narrows it.
    pub filter: Filter,
}

/// Why the parser read nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// The shape is over 64 KiB.
    TooLong,
    /// More than 8,000 tokens.
    TooManyTokens,
    /// Nested too deeply.
    TooDeep,
    /// The parser does not know its syntax.
    Syntax,
}

impl Unreadable {
    /// A sentence part for logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLong => "too long",
            Self::TooManyTokens => "too many tokens",
            Self::TooDeep => "nested too deeply",
            Self::Syntax => "unknown syntax",
        }
    }
}

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
    /// How it was read.
    pub source: Source,
}

impl Statement {
    /// A statement that sends no rows and writes nothing that a filter could narrow.
    pub const SILENT: Self =
        Self { reach: Reach::Silent, tables: Vec::new(), writes: Vec::new(), source: Source::Verb };
}

/// What is known of a shape: one entry for each statement, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Facts {
    /// One for each piece.
    pub statements: Vec<Statement>,
}

impl Facts {
    /// About how much memory this takes: for a cache that counts bytes.
    pub fn weight_bytes(&self) -> usize {
        let tables = |statement: &Statement| statement.tables.len() * 96 + statement.writes.len() * 128;
        self.statements.iter().map(|statement| 160 + tables(statement) + statement.reach.weight() * 48).sum()
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
    Facts { statements: lexed.pieces.iter().map(|piece| statement(lexed, piece)).collect() }
}

fn statement(lexed: &Lexed, piece: &Piece) -> Statement {
    let shape = lexed.shape.get(piece.body.max(piece.shape.start)..piece.shape.end).unwrap_or_default();
    let text = readable(shape);
    let text = if piece.wrap == Wrap::CopyOut { scan::parenthesised(&text) } else { &text };
    if piece.inner == Verb::Truncate {
        return Statement { writes: vec![scan::truncate(text)], ..Statement::SILENT };
    }
    if piece.verb == Verb::Handler {
        return mysql::handler(text);
    }
    if piece.inner.queries() || piece.inner.writes() {
        return read(lexed.dialect, text, piece.inner);
    }
    let mut writes = Vec::new();
    if piece.writes() {
        match lexed.dialect {
            Dialect::Postgres => scan::nested_writes(lexed.dialect, text, &mut writes),
            Dialect::MySql => mysql::block_writes(text, &mut writes),
        }
    }
    Statement { writes, ..Statement::SILENT }
}

/// Reads one statement: by the parser, or else by its clauses.
fn read(dialect: Dialect, text: &str, verb: Verb) -> Statement {
    let spelled = scan::spelled_out(text);
    let text = spelled.as_ref();
    if dialect == Dialect::MySql && verb.queries() && mysql::has_into(text) {
        return Statement { source: Source::Parsed, ..Statement::SILENT };
    }
    match parsed(dialect, text) {
        Ok(statement) => statement,
        Err(_) if verb == Verb::Table => scan::table_statement(text),
        Err(reason) => scan::statement(dialect, text, verb, reason),
    }
}

fn parsed(dialect: Dialect, text: &str) -> Result<Statement, Unreadable> {
    if text.len() > SHAPE_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let ast = scan::parse_statement(dialect, text)?;
    let mut reader = select::Reader::of(dialect);
    let reach = reader.statement(&ast);
    Ok(Statement { reach, tables: reader.tables, writes: reader.writes, source: Source::Parsed })
}

/// The shape as text. A client's encoding may be any: a byte that is not UTF-8 stands for itself, so that what a rule
/// reads stays the same length in characters and no table name is lost.
fn readable(shape: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(shape) {
        Ok(text) => text.into(),
        Err(_) => shape.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
    }
}
