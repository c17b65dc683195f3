//! What a server prepares: by a client's own Parse, or by one of ours in front of what uses the statement.

use std::rc::Rc;

use super::context::{Context, depends_on_settings};
use super::entry::{Entry, Learnt, Undo, Wants, Whose};
use super::learning::By;
use super::literals::Differing;
use super::plan::{Parts, Passing, Plan};
use super::shared::{self, Statement};
use super::unnamed::Unnamed;
use crate::wire::Outgoing;
use crate::wire::Transaction;
use crate::wire::pg::own;

impl Plan {
    /// A client prepares a shared statement: the server has it, or learns it by the client's own Parse, under its name there.
    pub(super) fn learns(
        &mut self,
        statement: &Statement,
        undo: impl FnOnce(Option<Learnt>) -> Undo,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Passing {
        // In a transaction that has failed the server says what it says to any text but the end of that.
        let fails = self.transaction == Transaction::Failed;
        let in_doubt = fails || parts.known.learning.doubt(statement.number).is_some();
        if parts.known.uses(statement.number) && !in_doubt {
            let undo = undo(None);
            if let Undo::Named(name, ..) = &undo {
                parts.known.learning.names(name);
            }
            self.queue.push_back(Entry::new(Wants::Parse, Whose::Given).undoing(undo));
            return Passing::Withheld;
        }
        if in_doubt || parts.known.learning.may_stay(statement.number) {
            self.gives_up(statement, parts, caused);
        }
        self.make_room(parts, caused);
        let undo = undo(Some(Learnt));
        let by = if let Undo::Named(..) = undo { By::Name } else { By::Us };
        parts.known.prepares(statement.number, by);
        self.queue.push_back(Entry::new(Wants::Parse, Whose::Client).undoing(undo));
        Passing::As(Rc::clone(&statement.name))
    }

    /// A client uses a shared statement that it has prepared: a server that may not have it learns it by a Parse of ours.
    pub(super) fn ensure(
        &mut self,
        name: &[u8],
        statement: &Rc<Statement>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) {
        if self.lacks(name, statement, parts, caused) {
            self.make_room(parts, caused);
            self.teaches(statement, parts, caused);
        }
    }

    /// The same of one that the server may have or not.
    pub(super) fn teaches_again(&mut self, statement: &Statement, parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) {
        self.gives_up(statement, parts, caused);
        self.make_room(parts, caused);
        self.teaches(statement, parts, caused);
    }

    /// True where the server is to learn it.
    pub(super) fn lacks(
        &mut self,
        name: &[u8],
        statement: &Statement,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> bool {
        let in_doubt = self.doubts(name, statement, parts);
        if parts.known.uses(statement.number) && !in_doubt {
            return false;
        }
        if in_doubt || parts.known.learning.may_stay(statement.number) {
            self.gives_up(statement, parts, caused);
        }
        true
    }

    /// The server learns it from us.
    pub(super) fn teaches(&mut self, statement: &Statement, parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) {
        parts.known.prepares(statement.number, By::Us);
        // Nothing runs in front of what may have to be alone, unless it matters.
        let matters = !parts.context.is_unsettled() && depends_on_settings(statement.body());
        let then = statement.reported().filter(|_| matters);
        let differing = then.and_then(|then| Differing::of(then, parts.context.reported));
        differing.iter().for_each(|differing| self.sets(differing, caused.server));
        own::parse(&statement.name, statement.body(), caused.server);
        self.ours(Wants::Parse, Undo::Learnt(statement.number));
        differing.iter().for_each(|differing| self.sets_back(differing, caused.server));
    }

    /// A statement that may be there or not is closed before it is prepared again.
    fn gives_up(&mut self, statement: &Statement, parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) {
        own::close(&statement.name, caused.server);
        parts.known.learning.goes(statement.number);
        self.ours(Wants::Close, Undo::Evicted(statement.number));
    }

    /// Closes what has to go before the server gets one more.
    fn make_room(&mut self, parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) {
        while let Some(number) = parts.known.closing() {
            own::close(&shared::name(number), caused.server);
            self.ours(Wants::Close, Undo::Evicted(number));
        }
    }
}

/// The statement of a name that a server is to learn: it will read the text under its settings of now, but for those that make values of
/// literals. Where these are not those that the client prepared it under, it is another one, which the name stands for from now on; nobody
/// else must get it for theirs.
pub(super) fn anew(name: &[u8], statement: Rc<Statement>, parts: &mut Parts<'_>) -> Rc<Statement> {
    let context = context_of(&statement, parts.context);
    if statement.is_under(context) && !context.is_unsettled() {
        return statement;
    }
    let Some(other) = parts.shared.statement(context, statement.body()) else { return statement };
    if name.is_empty() {
        parts.names.unnamed = Unnamed::Repeated(Rc::clone(&other));
        return other;
    }
    if parts.names.insert(name, Rc::clone(&other)) {
        return other;
    }
    // What was there a moment ago finds room.
    parts.names.insert(name, Rc::clone(&statement));
    statement
}

/// What a server whose context this is would read the text of a statement under: what it reports is set for that to what it was.
pub(super) fn context_of<'c>(statement: &'c Statement, context: Context<'c>) -> Context<'c> {
    match statement.reported() {
        Some(reported) if !context.is_unsettled() => Context { reported, ..context },
        _ => context,
    }
}
