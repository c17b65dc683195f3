//! Comments, and those that run.

use super::scan::{self, Executable};
use super::{Comments, Inside};
use crate::sql::lexer::Marks;
use crate::sql::lexer::scan as common;
use crate::sql::lexer::state::{Last, Lexer};

impl Lexer<'_> {
    pub(super) fn comment(&mut self) {
        let start = self.at;
        let Some(opening) = scan::executable(self.text, start) else {
            let end = scan::block_comment(self.text, start + 2);
            return self.passed_comment(end);
        };
        self.mysql.executable += 1;
        if self.last == Last::Start {
            self.mysql.opened.get_or_insert(start);
        }
        let runs = match (self.mysql.comments, opening.kind) {
            (Comments::All, _) => true,
            (Comments::None, _) => false,
            (Comments::AsServer, Executable::Any) => self.mysql.server.runs(opening.version),
            (Comments::AsServer, Executable::MariaDb) => self.mysql.server.runs_mariadb(opening.version),
        };
        if runs {
            self.mysql.inside = Inside::Comment;
            self.passed(opening.end);
        } else {
            let end = scan::skipped_comment(self.text, opening.end);
            self.passed_comment(end);
            self.passed(end.at);
        }
    }

    pub(super) fn passed_comment(&mut self, end: common::End) {
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.at = end.at;
    }
}
