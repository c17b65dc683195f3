//! The prepared statements of a session, so that rules that come later count for them too.

use std::rc::Rc;
use std::sync::Arc;

use super::break_glass::Shown;
use super::doubted::{Change, Earlier, Flight, Meanings};
use super::named::{Named, Weighs};
use super::portals::Due;
use crate::session::memory::Budget;
use crate::session::reader::Text;

/// The statements that a client has prepared, within the common memory budget. What finds no room there is judged when it is
/// prepared and not again.
#[derive(Debug, Default)]
pub struct Prepared {
    unnamed: Option<Rc<Text>>,
    /// Boxed: a session that has no names keeps no room for them.
    kept: Option<Box<Kept>>,
    flight: Flight,
    lost: Lost,
}

#[derive(Debug, Default)]
struct Kept {
    named: Named<Statement>,
    /// What names may stand for as well.
    earlier: Named<Earlier>,
    /// The break-glass pass of the unnamed statement.
    unnamed: Option<Shown>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// `None`: nobody has read it.
    pub(super) text: Option<Rc<Text>>,
    /// The break-glass pass that came with it: texts that read alike are the same, whoever shows one.
    pub(super) shown: Option<Shown>,
}

/// Whether a statement found no room that rules wanted to see again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lost {
    #[default]
    None,
    Some,
}

impl Prepared {
    /// The statement of that name; the empty name is that of the unnamed one.
    pub(super) fn find(&self, name: &[u8]) -> Option<Statement> {
        if !name.is_empty() {
            return self.kept.as_ref()?.named.get(name).cloned();
        }
        let shown = self.kept.as_ref().and_then(|kept| kept.unnamed.clone());
        let is_known = self.unnamed.is_some() || shown.is_some();
        is_known.then(|| Statement { text: self.unnamed.clone(), shown })
    }

    /// What that name may stand for, and each of it counts; `None`: what [`Prepared::find`] finds.
    pub(super) fn meanings(&self, name: &[u8]) -> Option<Meanings> {
        match (self.kept.as_ref()?.earlier.of(name, self.flight)?, self.find(name)) {
            (Meanings::Few(statements), Some(last)) => {
                Some(Meanings::Few(statements.iter().chain([&last]).cloned().collect()))
            }
            (meanings, _) => Some(meanings.clone()),
        }
    }

    /// Remembers a statement about which something is due, within the budget; one of the same name goes.
    pub(super) fn remember(&mut self, budget: &Arc<Budget>, name: &[u8], statement: Statement, due: Due) {
        if !self.changes(budget, name, Change::Prepares, Some(&statement)) {
            return;
        }
        if name.is_empty() {
            self.unnamed = statement.text;
            return self.show_unnamed(statement.shown);
        }
        if statement.text.is_none() && statement.shown.is_none() && !self.is_doubted(name) {
            // Nothing is asked of it later.
            return self.drop_last(name);
        }
        if !self.kept.get_or_insert_default().named.insert(budget, name, statement) && due != Due::Settled {
            self.lost = Lost::Some;
        }
    }

    fn show_unnamed(&mut self, shown: Option<Shown>) {
        // Nearly always there is none, and nothing to keep it in.
        if shown.is_some() || self.kept.is_some() {
            self.kept.get_or_insert_default().unnamed = shown;
        }
    }

    fn is_doubted(&self, name: &[u8]) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.earlier.get(name).is_some())
    }

    /// True where a statement that is not known may be one that rules wanted to see when it runs.
    pub fn lost_any(&self) -> bool {
        self.lost == Lost::Some
    }

    /// Forgets a statement, by what gives its name another meaning or none.
    pub(super) fn forget(&mut self, budget: &Arc<Budget>, name: &[u8], change: Change) {
        self.changes(budget, name, change, None);
        self.drop_last(name);
    }

    /// A Query goes to the server, which ends the unnamed statement unless it is skipped.
    pub(super) fn queried(&mut self) {
        if self.flight.is_sure(b"", Change::Closes) {
            self.kept.iter_mut().for_each(|kept| kept.earlier.remove(b""));
        }
    }

    /// The server was sent what may fail.
    pub(super) fn asked(&mut self) {
        self.flight.asks();
    }

    /// The server goes on behind this, whatever failed before.
    pub(super) fn ends_group(&mut self) {
        if !self.flight.ends_group() {
            self.kept.iter_mut().for_each(|kept| kept.earlier.ages());
        }
    }

    /// The server has failed on something, and skips what it was sent behind that in the same group.
    pub(super) fn failed(&mut self) {
        self.flight.fails();
    }

    /// The server has answered all that it was sent.
    pub(super) fn settled(&mut self) {
        let flight = std::mem::take(&mut self.flight);
        if let Some(kept) = &mut self.kept {
            kept.earlier.settled(flight);
            self.tidy();
        }
    }

    /// A name is about to stand for this. False where nobody can know what it stands for from now on.
    fn changes(&mut self, budget: &Arc<Budget>, name: &[u8], change: Change, to: Option<&Statement>) -> bool {
        if self.flight.is_sure(name, change) {
            self.kept.iter_mut().for_each(|kept| kept.earlier.remove(name));
            return true;
        }
        let old = self.find(name).filter(|old| to.is_none_or(|to| !old.is(to)));
        if old.is_none() && self.kept.is_none() {
            return true;
        }
        if self.kept.get_or_insert_default().earlier.changes(budget, name, old.as_ref(), self.flight) {
            return true;
        }
        self.lost = Lost::Some;
        self.drop_last(name);
        false
    }

    fn drop_last(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
            self.kept.iter_mut().for_each(|kept| kept.unnamed = None);
        } else {
            self.kept.iter_mut().for_each(|kept| kept.named.remove(name));
            self.tidy();
        }
    }

    /// Nothing is kept for names where there are none.
    fn tidy(&mut self) {
        self.kept = self.kept.take().filter(|kept| !kept.is_empty());
    }
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.earlier.is_empty() && self.unnamed.is_none()
    }
}

impl Statement {
    /// Do the rules say the same of both?
    pub(super) fn is(&self, other: &Self) -> bool {
        let is_same = match (&self.text, &other.text) {
            (Some(text), Some(other)) => Rc::ptr_eq(text, other),
            (None, None) => true,
            _ => false,
        };
        is_same && self.shown == other.shown
    }
}

impl Weighs for Statement {
    /// As if nobody shared the text: it may outlive the caches.
    fn weight_bytes(&self) -> usize {
        let reading = |text: &Rc<Text>| {
            let reading = text.reading.weight_bytes().saturating_add(text.reading.facts().weight_bytes());
            reading.saturating_add(text.shape.text.len())
        };
        let shown = self.shown.as_ref().map_or(0, |shown| shown.len());
        self.text.as_ref().map_or(0, reading).saturating_add(shown)
    }
}
