//! What Floodwall reads, as a [`View`].

use std::collections::BTreeSet;

use floodwall::sql::facts::{self, Filter, Reach, Source, Statement};
use floodwall::sql::lexer::{self, Limit, Marks};
use floodwall::sql::{Flags, Piece, TableName, Verb};

use super::view::{Cap, Mark, View, Where, Write, table};

/// The statements of a text, each with how it was read.
pub fn read(text: &str, flags: Flags) -> Vec<(View, Source)> {
    let lexed = lexer::lex(flags, text.as_bytes());
    let facts = facts::parse(&lexed);
    let pieces = lexed.pieces.iter().zip(&facts.statements).filter(|(piece, _)| piece.verb != Verb::Empty);
    let caps = |piece: &Piece| lexed.limits[piece.limits.clone()].iter().map(|at| cap(at.limit)).collect();
    pieces.map(|(piece, facts)| (view(piece, facts, caps(piece)), facts.source)).collect()
}

fn view(piece: &Piece, facts: &Statement, caps: Vec<Cap>) -> View {
    let mut limits: Vec<Cap> = caps.iter().copied().filter(|cap| *cap != Cap::Expression).collect();
    limits.sort();
    View {
        text: piece.text.clone(),
        verb: piece.verb,
        inner: piece.inner,
        wrap: piece.wrap,
        limits,
        limit: limit(&facts.reach, &caps),
        tables: facts.tables.iter().map(name).collect(),
        writes: facts.writes.iter().map(write).collect(),
        counts: piece.counts,
        marks: marks(piece, facts),
    }
}

const fn cap(limit: Limit) -> Cap {
    match limit {
        Limit::Rows(rows) => Cap::Rows(rows),
        Limit::Parameter(_) => Cap::Parameter,
        Limit::All | Limit::Other => Cap::Expression,
    }
}

fn limit(reach: &Reach, caps: &[Cap]) -> Cap {
    match reach {
        Reach::Limited(_, index) => caps.get(usize::from(*index)).copied().unwrap_or(Cap::Expression),
        Reach::Rows(rows) => Cap::Rows(*rows),
        Reach::Unsure(inner) => limit(inner, caps),
        _ => Cap::None,
    }
}

fn name(name: &TableName) -> String {
    table(name.schema().unwrap_or_default(), name.name())
}

fn write(write: &facts::Write) -> Write {
    let filter = match write.filter {
        Filter::None => Where::Absent,
        Filter::ConstantTrue | Filter::TrueIf(_) | Filter::Limited(..) | Filter::Real | Filter::Unread => {
            Where::Present
        }
    };
    Write { kind: write.kind, table: write.table.as_ref().map(name).unwrap_or_default(), filter }
}

fn marks(piece: &Piece, facts: &Statement) -> BTreeSet<Mark> {
    let pairs =
        [(Marks::CTE_WRITES, Mark::CteWrites), (Marks::COPY_IN, Mark::CopyIn), (Marks::PARAMETERS, Mark::Parameters)];
    let mut marks: BTreeSet<Mark> =
        pairs.into_iter().filter(|(mark, _)| piece.marks.has(*mark)).map(|(_, mark)| mark).collect();
    if piece.inner.queries() && facts.reach == Reach::Silent {
        marks.insert(Mark::Into);
    }
    marks
}
