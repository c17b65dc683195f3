//! `EXECUTE name` of a statement that a client has prepared by the protocol, and `EXPLAIN` of that.
//!
//! The statement has another name at the servers, so the text gets that one, and a server that does not have the statement learns it
//! ahead. A text that is prepared itself runs that statement, at whatever server, for as long as its client has it under that name.

use std::rc::Rc;

use bytes::BytesMut;

use super::entry::{Entry, Wants, Whose};
use super::names::Refused;
use super::plan::{Mode, Parts, Passing, Plan};
use super::preparing::{anew, context_of};
use super::shared::{NOWHERE, Runs, Statement, is_ours};
use crate::wire::pg::execute::Executed;
use crate::wire::pg::own;
use crate::wire::pg::rename::Asked;
use crate::wire::{Outgoing, Transaction};

/// Without types.
const UNTYPED: &[u8] = b"\0\0\0";

impl Plan {
    /// A client's message whose text runs a prepared statement. `None` where it is an ordinary message: [`Plan::client`].
    ///
    /// # Errors
    /// As of [`Plan::client`].
    pub fn executes(
        &mut self,
        asked: Asked<'_>,
        executed: &Executed<'_>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Option<Result<Passing, Refused>> {
        // In a transaction that has failed the server says so first.
        if self.mode != Mode::Asking || self.transaction == Transaction::Failed {
            return None;
        }
        if self.may_end_all(parts) {
            return Some(Ok(Passing::Later));
        }
        let statement = parts.names.find(&executed.name).map(Rc::clone);
        // Prepared by SQL, or not at all; but never a statement of ours that others have prepared.
        if statement.is_none() && !is_ours(&executed.name) && !self.may_be_taken_back(&executed.name, parts) {
            return None;
        }
        if self.may_turn_out(&executed.name, parts) {
            return Some(Ok(Passing::Later));
        }
        // One that runs another one itself is left alone.
        if statement.as_ref().is_some_and(|statement| statement.runs().is_some()) {
            return None;
        }
        let statement = statement.map(|statement| at_hand(&executed.name, statement, parts));
        let text = executed.renamed(statement.as_ref().map_or(NOWHERE, |statement| &statement.name));
        match asked {
            Asked::Query if executed.is_alone() && self.is_between_groups() => {
                statement.iter().for_each(|statement| self.ensure(&executed.name, statement, parts, caused));
                self.runs_by_query(&text, parts, caused.server);
                Some(Ok(Passing::Withheld))
            }
            Asked::Parse { name, .. } => {
                let body = [&text, executed.rest].concat();
                let passing = self.prepares(name, &body, parts, caused);
                if let (Ok(Passing::Withheld), Some(statement), Some(new)) =
                    (&passing, statement, parts.names.find(name))
                {
                    new.set_runs(Runs { name: executed.name.as_ref().into(), statement });
                }
                Some(passing)
            }
            _ => None,
        }
    }

    /// The server at hand gets what the text of a statement runs. False where that is not what it was when the text was prepared.
    pub(super) fn has_what_runs(
        &mut self,
        statement: &Statement,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> bool {
        let Some(Runs { name, statement }) = statement.runs() else { return true };
        let is_same = parts.names.find(name).is_some_and(|now| now.number == statement.number);
        let is_there = is_same && is_fit(statement, parts);
        // No room is made for it: that may be made of what runs it.
        if is_there && self.lacks(name, statement, parts, caused) {
            self.teaches(statement, parts, caused);
        }
        is_there
    }

    /// A Query of one statement is the same as this pipeline, but for replies that are dropped.
    fn runs_by_query(&mut self, text: &[u8], parts: &mut Parts<'_>, out: &mut BytesMut) {
        own::parse(b"", &[text, UNTYPED].concat(), out);
        own::run_unnamed(out);
        self.queries([Wants::Columns, Wants::Executed].map(|wants| Entry::new(wants, Whose::Client)), parts, out);
    }

    /// The text is prepared: `body` is what it is with another name, and its types.
    fn prepares(
        &mut self,
        name: &[u8],
        body: &[u8],
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Result<Passing, Refused> {
        // What its client means by it is nobody else's business.
        let context = parts.context.of_its_own(parts.shared.number());
        let context = std::mem::replace(&mut parts.context, context);
        let passing = match name {
            // Without a name it may be used at another server as well.
            b"" => Ok(self.parse_anywhere(body, parts, caused)),
            _ => self.client(Asked::Parse { name, body: Some(body) }, parts, caused),
        };
        parts.context = context;
        let name = match passing? {
            Passing::As(other) => other,
            Passing::AsIs => name.into(),
            done => return Ok(done),
        };
        own::parse(&name, body, caused.server);
        Ok(Passing::Withheld)
    }
}

/// The statement of a name as the server at hand has it, or will read it.
fn at_hand(name: &[u8], statement: Rc<Statement>, parts: &mut Parts<'_>) -> Rc<Statement> {
    if parts.known.uses(statement.number) {
        return statement;
    }
    parts.context = parts.context.of_text(statement.body());
    anew(name, statement, parts)
}

/// Does a statement mean at the server at hand what it was prepared as? Where the server does not have it, it reads its text anew.
fn is_fit(statement: &Statement, parts: &mut Parts<'_>) -> bool {
    let context = parts.context.of_text(statement.body());
    parts.known.uses(statement.number)
        || (!context.is_unsettled() && statement.is_under(context_of(statement, context)))
}
