//! What one client has prepared, under the names that it chose.

use std::collections::HashMap;
use std::rc::Rc;

use rapidhash::fast::GlobalState;

use super::repeated::Repeats;
use super::shared::Statement;
use super::unnamed::Unnamed;
use crate::session::memory::Share;

/// What one client may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Named statements.
    pub statements: usize,
    /// Bytes of their names and texts, as if it shared none.
    pub bytes: usize,
    /// What becomes of its unnamed statements that are repeated.
    pub repeats: Repeats,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { statements: 5_000, bytes: 4 << 20, repeats: Repeats::Unnamed }
    }
}

/// Why a client's Parse is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It has one of that name: SQLSTATE 42P05, as from the server.
    Duplicate,
    /// It has as many statements, or bytes of them, as it may: SQLSTATE 54000.
    TooMany,
    /// The statement is too long to be kept: SQLSTATE 54000. Without a name it would pass.
    TooLong,
    /// The memory of all clients has no room for it: SQLSTATE 53200.
    NoRoom,
}

/// What an entry takes beside its name and text.
const OVERHEAD_BYTES: usize = 96;

/// The prepared statements of one client.
#[derive(Debug, Default)]
pub struct Names {
    named: HashMap<Box<[u8]>, Rc<Statement>, GlobalState>,
    bytes: usize,
    /// The part of the memory that names take; texts are counted with what they are shared as. `None`: nothing is counted.
    room: Option<Share>,
    /// The unnamed one.
    pub(super) unnamed: Unnamed,
}

impl Names {
    /// None yet; what they take is counted in this share.
    pub fn counted(room: Option<Share>) -> Self {
        Self { room, ..Self::default() }
    }

    /// The shared statement of a name; that of the unnamed one where it is one that is repeated.
    pub fn find(&self, name: &[u8]) -> Option<&Rc<Statement>> {
        match &self.unnamed {
            _ if !name.is_empty() => self.named.get(name),
            Unnamed::Repeated(statement) => Some(statement),
            Unnamed::None | Unnamed::Some { .. } => None,
        }
    }

    /// Text and types of the statement of a name, or of the unnamed one; `None` where there is none, or it is not kept.
    pub fn body(&self, name: &[u8]) -> Option<&[u8]> {
        match &self.unnamed {
            _ if !name.is_empty() => self.named.get(name).map(|statement| statement.body()),
            Unnamed::Some { body, .. } => body.as_deref(),
            Unnamed::Repeated(statement) => Some(statement.body()),
            Unnamed::None => None,
        }
    }

    /// How many have names.
    pub fn len(&self) -> usize {
        self.named.len()
    }

    /// True where none has.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Bytes of names and texts.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// True where one more statement of this size may be kept.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(super) fn admits(&self, name: &[u8], body: &[u8], bounds: Bounds) -> Result<(), Refused> {
        let bytes = self.bytes.saturating_add(weight(name, body));
        match () {
            () if self.named.contains_key(name) => Err(Refused::Duplicate),
            () if weight(name, body) > bounds.bytes => Err(Refused::TooLong),
            () if self.named.len() >= bounds.statements || bytes > bounds.bytes => Err(Refused::TooMany),
            () => Ok(()),
        }
    }

    /// Keeps a statement; one of the same name goes. False, and without it, where the memory has no room for the name.
    pub(super) fn insert(&mut self, name: &[u8], statement: Rc<Statement>) -> bool {
        self.remove(name);
        if !self.resize(|room| room.saturating_add(weight(name, b""))) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(weight(name, statement.body()));
        self.named.insert(name.into(), statement);
        true
    }

    fn resize(&mut self, to: impl FnOnce(usize) -> usize) -> bool {
        self.room.as_mut().is_none_or(|room| room.resize(to(room.bytes())))
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Rc<Statement>> {
        let statement = self.named.remove(name)?;
        self.bytes = self.bytes.saturating_sub(weight(name, statement.body()));
        self.resize(|room| room.saturating_sub(weight(name, b"")));
        Some(statement)
    }

    /// The client has discarded all that have names.
    pub fn clear(&mut self) {
        self.named = HashMap::default();
        self.bytes = 0;
        self.resize(|_| 0);
    }
}

fn weight(name: &[u8], body: &[u8]) -> usize {
    name.len().saturating_add(body.len()).saturating_add(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Shared};
    use super::*;
    use crate::session::memory::Budget;

    #[test]
    fn a_client_keeps_no_more_than_it_may_and_gives_back_what_it_forgets() {
        let (mut shared, mut names) = (Shared::default(), Names::default());
        let bounds = Bounds { statements: 2, bytes: 1_000, ..Bounds::default() };
        for name in [&b"a"[..], b"b"] {
            assert_eq!(names.admits(name, b"SELECT 1", bounds), Ok(()));
            assert!(names.insert(name, shared.statement(Context::default(), b"SELECT 1").unwrap()));
        }
        assert_eq!(names.admits(b"a", b"SELECT 1", bounds), Err(Refused::Duplicate));
        assert_eq!(names.admits(b"c", b"SELECT 1", bounds), Err(Refused::TooMany));
        assert!(names.remove(b"a").is_some() && names.remove(b"a").is_none());
        assert_eq!(names.admits(b"c", b"SELECT 1", bounds), Ok(()));
        assert_eq!(names.admits(b"c", &[7; 850], bounds), Err(Refused::TooMany), "bytes");
        assert_eq!(names.admits(b"c", &[7; 1_000], bounds), Err(Refused::TooLong));
        names.clear();
        assert_eq!((names.len(), names.bytes()), (0, 0));
    }

    #[test]
    fn names_take_room_of_the_memory_and_give_it_back() {
        let budget = Budget::new(2 * OVERHEAD_BYTES + 10);
        let mut shared = Shared::default();
        let text = shared.statement(Context::default(), b"SELECT 1").unwrap();
        let mut names = Names::counted(Some(Share::of(&budget)));
        assert!(names.insert(b"a", Rc::clone(&text)) && names.insert(b"b", Rc::clone(&text)));
        assert_eq!(budget.used(), 2 * OVERHEAD_BYTES + 2);
        assert!(!names.insert(b"c", Rc::clone(&text)));
        assert!(names.find(b"c").is_none() && names.len() == 2);
        names.remove(b"a");
        assert!(names.insert(b"c", Rc::clone(&text)));
        names.clear();
        assert_eq!(budget.used(), 0);
        assert!(names.insert(b"d", text));
        drop(names);
        assert_eq!(budget.used(), 0);
    }
}
