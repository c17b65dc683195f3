//! What a server prepares: by a client's own Parse, or by one of ours in front of what uses the statement.

use std::rc::Rc;

use super::context::{Context, depends_on_settings};
use super::entry::{Entry, Learnt, Undo, Wants, Whose};
use super::learning::By;
use super::literals::Differing;
use super::plan::{Bound, Parts, Passing, Plan};
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

    /// The same in a group of ours. It is closed ahead in any case: where the group fails, so does what uses it. In the client's group it is
    /// no more in doubt than what stands there.
    pub(super) fn ensure_apart(
        &mut self,
        name: &[u8],
        statement: &Rc<Statement>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) {
        if parts.known.uses(statement.number) && !self.doubts(name, statement, parts) {
            return;
        }
        self.gives_up(statement, parts, caused);
        self.make_room(parts, caused);
        self.teaches(statement, parts, caused);
        own::sync(caused.server);
        self.ours(Wants::Ready, Undo::Nothing);
    }

    /// Where the server learns a statement: what runs in front of a client's must not share a group with it, since some must be alone.
    /// That is between the client's groups, and nowhere else: what it has bound in one that is open would be gone.
    pub(super) fn place(&self, statement: &Statement, parts: &Parts<'_>) -> Place {
        let is_open = self.bound != Bound::Nothing || self.transaction != Transaction::None;
        if is_open || differing(statement, parts).is_none() {
            return Place::InGroup;
        }
        let mut group = self.queue.iter().rev().take_while(|step| !step.ends_group());
        match group.clone().next() {
            None => Place::Apart,
            Some(_) if group.any(|step| matches!(step.wants, Wants::Bind | Wants::Executed)) => Place::InGroup,
            Some(_) => Place::Nowhere,
        }
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
        let differing = differing(statement, parts);
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

/// Where a server learns a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In front of what uses it.
    InGroup,
    /// In a group of ours.
    Apart,
    /// In a group of ours, for which steps of the client's have to be answered first.
    Nowhere,
}

/// What has to be set for the server to read a text as it was read. Nothing runs in front of what may have to be alone, unless it matters.
fn differing<'a>(statement: &'a Statement, parts: &Parts<'a>) -> Option<Differing<'a>> {
    let matters = !parts.context.is_unsettled() && depends_on_settings(statement.body());
    let then = statement.reported().filter(|_| matters)?;
    Differing::of(then, parts.context.reported)
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
