//! What a session thinks of its statements: the rules of its client over what its worker has read.
//!
//! `request` has an answer for each kind of request. A text is read in `unread` and judged in `text`, what comes beside it in
//! [`bound`]; what is only known while a statement runs is judged in [`measured`]. Whatever the rules find goes through [`findings`].

pub mod bound;
pub mod break_glass;
pub mod budget;
mod doubted;
pub mod findings;
mod fresh;
pub mod measured;
pub mod named;
pub mod pipeline;
pub mod portals;
pub mod prepared;
mod request;
pub mod sight;
pub mod stream;
mod text;
pub mod tidy;
mod unread;
mod values;

use std::rc::Rc;
use std::sync::Arc;

use self::break_glass::BreakGlass;
use self::pipeline::Pipeline;
use self::portals::{Due, Portals};
use self::prepared::Prepared;
use self::request::Prepares;
use self::sight::Own;
use self::stream::Stream;
use self::text::{Case, Occasion};
use self::tidy::Tidy;
use self::unread::Unread;
use self::values::{Unbound, Uncounted};
use super::house::House;
use super::local::Local;
use super::policy::Policy;
use super::reader::Text;
use super::reader::manner::Manner;
use super::reader::memo::Observed;
use crate::guard::{Limits, Plan};
use crate::roster::Entry;
use crate::sql::Schema;

/// The judge of one session.
pub struct Judge {
    house: Arc<House>,
    local: Rc<Local>,
    manner: Manner,
    /// Whether the server may not have answered everything: only then may `manner` be out of date.
    in_flight: bool,
    policy: Arc<Policy>,
    /// The settings that `policy` is of.
    settings: u64,
    /// The most text that any of its rules needs to see.
    hold: u64,
    schema: Option<Arc<Schema>>,
    /// What the session has changed of how it sees the tables.
    sight: Own,
    /// The catalogue that `schema` is of.
    catalogue: u64,
    /// The statement that the client speaks of.
    current: Option<Rc<Text>>,
    /// What is known of it before it runs, in every manner in which it may be read.
    plan: Plan,
    /// What was measured of it, to be noted when it runs.
    observed: Observed,
    /// When the rules have their last say about it.
    due: Due,
    occasion: Occasion,
    prepared: Prepared,
    /// The first prepared statement with a name that only passes where it is read in portions. `EXECUTE` reads it whole; since no
    /// driver mixes the two, it is not looked up which one a text means.
    portioned: Option<Rc<Text>>,
    prepares: Prepares,
    portals: Portals,
    pipeline: Pipeline,
    stream: Stream,
    break_glass: BreakGlass,
    /// A text that is read elsewhere. Boxed, like what follows: an idle session has none of them.
    pending: Option<Box<Unread>>,
    /// The Bind whose values an analyst reads.
    uncounted: Option<Box<Uncounted>>,
    /// What is to be lent next.
    lending: Option<Box<Lending>>,
    /// What texts leave in a lent server.
    tidy: Option<Tidy>,
}

/// What is to be read elsewhere.
#[derive(Debug)]
enum Lending {
    /// The text of a request.
    Text(Case),
    /// The values of a Bind.
    Values(Unbound),
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Judge {
    /// The judge of a client's session.
    pub fn new(house: Arc<House>, local: Rc<Local>, who: &Entry) -> Self {
        let settings = house.settings.generation();
        let current = house.settings.load();
        let policy = current.policies.of(&who.identity);
        let break_glass = BreakGlass::new(current.break_glass.clone());
        let catalogue = house.catalog.generation();
        let hold = fresh::hold(&policy);
        let sight = Own::default();
        let schema = sight.schema(&house, who);
        Self {
            house,
            local,
            manner: Manner::default(),
            in_flight: false,
            policy,
            settings,
            hold,
            schema,
            sight,
            catalogue,
            current: None,
            plan: Plan::UNREAD,
            observed: Observed::default(),
            due: Due::Settled,
            occasion: Occasion::Running,
            prepared: Prepared::default(),
            portioned: None,
            prepares: Prepares::Statements,
            portals: Portals::default(),
            pipeline: Pipeline::default(),
            stream: Stream::default(),
            break_glass,
            pending: None,
            uncounted: None,
            lending: None,
            tidy: None,
        }
    }

    /// The most text that any rule needs to see.
    pub fn hold(&self) -> u64 {
        self.hold
    }

    /// What is measured while a statement runs.
    pub fn limits(&self) -> &Limits {
        self.policy.guard.limits()
    }

    /// The statement that the server works on, as far as it is known.
    pub fn current(&self) -> Option<&Rc<Text>> {
        self.current.as_ref()
    }

    /// The statement that the client speaks of from now on.
    fn know(&mut self, text: Option<Rc<Text>>, observed: Observed) {
        self.current = text;
        self.observed = observed;
    }
}

#[cfg(test)]
pub(super) mod tests;
