//! The portals of a transaction: which statement an Execute runs, and with which values.

use std::rc::Rc;
use std::sync::Arc;

use super::break_glass::Shown;
use super::named::{Named, Weighs};
use crate::guard::{Judgement, Plan};
use crate::session::memory::Budget;
use crate::session::reader::Text;
use crate::sql::Values;
use crate::sql::lexer::Wrap;

/// When the rules have their last say about a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// They have had it.
    Settled,
    /// At each Execute, which says how many rows are fetched: for all of them, they warn.
    ToWarn,
    /// The same; for all rows, they refuse.
    ToRefuse,
}

impl Due {
    /// What is due where `now` is thought of a statement as such, and `whole` of fetching all of it.
    pub fn between(now: &Judgement, whole: &Judgement) -> Self {
        match now == whole {
            true => Self::Settled,
            false if whole.allows() => Self::ToWarn,
            false => Self::ToRefuse,
        }
    }
}

/// A statement with its values.
#[derive(Debug)]
pub struct Portal {
    /// The statement.
    pub text: Rc<Text>,
    /// Its values, as far as rules ask for them.
    pub values: Values,
    /// When it is judged.
    pub due: Due,
    /// What is known of it before it runs.
    pub plan: Plan,
    /// The break-glass pass that came with it.
    pub shown: Option<Shown>,
    /// Rows that were asked of it, portion by portion.
    pub asked: u64,
}

impl Portal {
    /// Rows that earlier portions have told, where this is a portion of a write that returns the rows it changes.
    pub fn returned(&self, rows: Option<u32>) -> Option<u64> {
        let writes = self.text.reading.pieces().iter().any(|piece| piece.wrap == Wrap::None && piece.inner.writes());
        (writes && (rows.is_some() || self.asked > 0)).then_some(self.asked)
    }
}

impl Weighs for Portal {
    /// Its text is counted where it was prepared.
    fn weight_bytes(&self) -> usize {
        self.values.weight_bytes()
    }
}

/// The portals that a client has bound, within the common memory budget. They end with their transaction.
#[derive(Debug, Default)]
pub struct Portals {
    unnamed: Option<Portal>,
    named: Named<Portal>,
}

impl Portals {
    /// The portal of that name; the empty name is that of the unnamed one.
    pub fn find(&self, name: &[u8]) -> Option<&Portal> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// The plan of that portal: one that is not known may do anything.
    pub fn plan(&self, name: &[u8]) -> Plan {
        self.find(name).map_or(Plan::UNREAD, |portal| portal.plan)
    }

    /// Remembers a portal; one of the same name goes. False where there is no room for it in the budget.
    pub fn remember(&mut self, budget: &Arc<Budget>, name: &[u8], portal: Portal) -> bool {
        if name.is_empty() {
            self.unnamed = Some(portal);
            return true;
        }
        self.named.insert(budget, name, portal)
    }

    /// So many rows are asked of a portal; `None`: all that are left.
    pub fn ask(&mut self, name: &[u8], rows: Option<u32>) {
        let portal = if name.is_empty() { self.unnamed.as_mut() } else { self.named.get_mut(name) };
        if let (Some(portal), Some(rows)) = (portal, rows) {
            portal.asked = portal.asked.saturating_add(u64::from(rows));
        }
    }

    /// Forgets a portal: nobody knows what its name stands for any more.
    pub fn forget(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else {
            self.named.remove(name);
        }
    }

    /// The transaction ended, and its portals with it.
    pub fn end(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }
}
