//! The prepared statements of a session, so that rules that come later count for them too.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rapidhash::fast::GlobalState;

use super::memory::{Budget, Share};
use super::portals::Due;
use super::reader::Text;

/// Names that are longer belong to no driver; their statements are judged when they are prepared and not again.
const NAME_MAX: usize = 256;
/// What an entry takes beside its name and its text.
const OVERHEAD_BYTES: usize = 128;

/// The statements that a client has prepared, within the common memory budget. What finds no room there is judged when it is
/// prepared and not again.
#[derive(Debug)]
pub struct Prepared {
    unnamed: Option<Rc<Text>>,
    named: HashMap<Box<[u8]>, Rc<Text>, GlobalState>,
    bytes: usize,
    share: Share,
    lost: Lost,
}

/// Whether a statement found no room that rules wanted to see again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    None,
    Some,
}

impl Prepared {
    /// None yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { unnamed: None, named: HashMap::default(), bytes: 0, share: Share::of(budget), lost: Lost::None }
    }

    /// The statement of that name; the empty name is that of the unnamed one.
    pub fn find(&self, name: &[u8]) -> Option<&Rc<Text>> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// Remembers a statement about which something is due; one of the same name goes.
    pub fn remember(&mut self, name: &[u8], text: &Rc<Text>, due: Due) {
        if name.is_empty() {
            self.unnamed = Some(Rc::clone(text));
        } else if !self.hold(name, text) && due != Due::Settled {
            self.lost = Lost::Some;
        }
    }

    /// True where a statement that is not known may be one that rules wanted to see when it runs.
    pub fn lost_any(&self) -> bool {
        self.lost == Lost::Some
    }

    fn hold(&mut self, name: &[u8], text: &Rc<Text>) -> bool {
        self.forget(name);
        let bytes = self.bytes.saturating_add(weight(name, text));
        if name.len() > NAME_MAX || !self.share.resize(bytes) {
            return false;
        }
        self.bytes = bytes;
        self.named.insert(name.into(), Rc::clone(text));
        true
    }

    /// Forgets a statement.
    pub fn forget(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else if let Some(text) = self.named.remove(name) {
            self.bytes = self.bytes.saturating_sub(weight(name, &text));
            self.share.resize(self.bytes);
        }
    }
}

/// As if nobody shared the text: it may outlive the caches.
fn weight(name: &[u8], text: &Text) -> usize {
    let reading = text.reading.weight_bytes().saturating_add(text.reading.facts().weight_bytes());
    name.len().saturating_add(reading).saturating_add(text.shape.text.len()).saturating_add(OVERHEAD_BYTES)
}
