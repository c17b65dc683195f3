//! The prepared statements of a session, so that rules that come later count for them too.

use std::rc::Rc;
use std::sync::Arc;

use super::named::{Named, Weighs};
use super::portals::Due;
use crate::session::memory::Budget;
use crate::session::reader::Text;

/// The statements that a client has prepared, within the common memory budget. What finds no room there is judged when it is
/// prepared and not again.
#[derive(Debug, Default)]
pub struct Prepared {
    unnamed: Option<Rc<Text>>,
    named: Named<Rc<Text>>,
    lost: Lost,
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
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// Remembers a statement about which something is due, within the budget; one of the same name goes.
    pub fn remember(&mut self, budget: &Arc<Budget>, name: &[u8], text: &Rc<Text>, due: Due) {
        if name.is_empty() {
            self.unnamed = Some(Rc::clone(text));
        } else if !self.named.insert(budget, name, Rc::clone(text)) && due != Due::Settled {
            self.lost = Lost::Some;
        }
    }

    /// True where a statement that is not known may be one that rules wanted to see when it runs.
    pub fn lost_any(&self) -> bool {
        self.lost == Lost::Some
    }

    /// Forgets a statement.
    pub fn forget(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else {
            self.named.remove(name);
        }
    }
}

impl Weighs for Rc<Text> {
    /// As if nobody shared the text: it may outlive the caches.
    fn weight_bytes(&self) -> usize {
        let reading = self.reading.weight_bytes().saturating_add(self.reading.facts().weight_bytes());
        reading.saturating_add(self.shape.text.len())
    }
}
