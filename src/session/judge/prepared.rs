//! The prepared statements of a session, so that rules that come later count for them too.

use std::rc::Rc;
use std::sync::Arc;

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
    named: Named<Rc<Text>>,
    /// What names may stand for as well.
    earlier: Named<Earlier>,
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
    pub fn find(&self, name: &[u8]) -> Option<&Rc<Text>> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.kept.as_ref()?.named.get(name) }
    }

    /// What that name may stand for, and each of it counts; `None`: what [`Prepared::find`] finds.
    pub(super) fn meanings(&self, name: &[u8]) -> Option<Meanings> {
        match (self.kept.as_ref()?.earlier.of(name, self.flight)?, self.find(name)) {
            (Meanings::Few(texts), Some(last)) => {
                Some(Meanings::Few(texts.iter().chain([last]).map(Rc::clone).collect()))
            }
            (meanings, _) => Some(meanings.clone()),
        }
    }

    /// Remembers a statement about which something is due, within the budget; one of the same name goes.
    pub fn remember(&mut self, budget: &Arc<Budget>, name: &[u8], text: &Rc<Text>, due: Due) {
        if !self.changes(budget, name, Change::Prepares, Some(text)) {
            return;
        }
        if name.is_empty() {
            self.unnamed = Some(Rc::clone(text));
        } else if !self.kept.get_or_insert_default().named.insert(budget, name, Rc::clone(text)) && due != Due::Settled
        {
            self.lost = Lost::Some;
        }
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
    fn changes(&mut self, budget: &Arc<Budget>, name: &[u8], change: Change, to: Option<&Rc<Text>>) -> bool {
        if self.flight.is_sure(name, change) {
            self.kept.iter_mut().for_each(|kept| kept.earlier.remove(name));
            return true;
        }
        let old = self.find(name).filter(|old| to.is_none_or(|to| !Rc::ptr_eq(old, to))).map(Rc::clone);
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
        } else {
            self.kept.iter_mut().for_each(|kept| kept.named.remove(name));
            self.tidy();
        }
    }

    /// Nothing is kept for names where there are none.
    fn tidy(&mut self) {
        self.kept = self.kept.take().filter(|kept| !(kept.named.is_empty() && kept.earlier.is_empty()));
    }
}

impl Weighs for Rc<Text> {
    /// As if nobody shared the text: it may outlive the caches.
    fn weight_bytes(&self) -> usize {
        let reading = self.reading.weight_bytes().saturating_add(self.reading.facts().weight_bytes());
        reading.saturating_add(self.shape.text.len())
    }
}
