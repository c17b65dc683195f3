//! Statements of which not all was kept: the clauses that are there, and the worst for what is not.

use super::scan;
use super::{Filter, Reach, Source, Statement, Unreadable, Write, WriteKind};
use crate::sql::dialect::Dialect;
use crate::sql::lexer::{Marks, Piece};
use crate::sql::verb::Verb;

pub(super) fn statement(dialect: Dialect, text: &str, piece: &Piece) -> Statement {
    let judged = piece.inner.queries() || piece.inner.writes();
    let mut statement = match piece.inner {
        _ if judged && !text.is_empty() => scan::statement(dialect, text, piece.inner, Unreadable::TooLong),
        _ if judged || text.is_empty() => {
            Statement { source: Source::Scanned(Unreadable::TooLong), ..Statement::SILENT }
        }
        Verb::Truncate => Statement { writes: vec![scan::truncate(dialect, text)], ..Statement::SILENT },
        _ => Statement::SILENT,
    };
    if judged {
        statement.reach = Reach::Unknown;
    }
    for write in &mut statement.writes {
        // The value of a limit may not have been kept either.
        let open = matches!(write.filter, Filter::None | Filter::Limited(..));
        if open && write.kind != WriteKind::Truncate {
            write.filter = Filter::Unread;
        }
    }
    let unseen = matches!(piece.inner, Verb::Update | Verb::Delete) && statement.writes.is_empty();
    if unseen || piece.marks.has(Marks::CUT_WRITES) {
        statement.writes.push(Write { kind: WriteKind::Update, table: None, filter: Filter::Unread });
    }
    if piece.marks.has(Marks::CUT_TRUNCATE) {
        statement.writes.push(Write { kind: WriteKind::Truncate, table: None, filter: Filter::None });
    }
    statement
}
