//! What the sessions of one worker share: no lock, since they all run on its thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rapidhash::fast::GlobalState;

use super::house::House;
use super::lending::Lenders;
use super::pace::{Pace, Waits};
use super::reader::Reader;
use super::reader::analyst::Means;
use super::relay::{Lent, lent};
use super::state::Interner;
use super::statements::Shared;
use super::timing::Timings;
use super::timing::beat::Beat;
use super::welcome::anteroom::Anteroom;
use crate::server::pool::Pools;
use crate::sql::Schema;
use crate::telemetry::WorkerMetrics;
use crate::telemetry::shapes::Shapes;

/// One worker's own things.
#[derive(Debug)]
pub struct Local {
    /// The read buffer.
    pub lent: Lent,
    /// Its counters.
    pub metrics: Arc<WorkerMetrics>,
    /// What it knows of statement texts.
    pub reader: RefCell<Reader>,
    /// The pulse that its look-outs listen to.
    pub beat: Arc<Beat>,
    /// Its look-out for what takes too long.
    pub timings: Rc<Timings>,
    /// The turns of its logins.
    pub pace: Rc<Pace>,
    /// Where a crowd is received in its stead, if anywhere.
    pub anteroom: Option<Arc<Anteroom>>,
    /// The turns of those that leave.
    pub partings: Rc<Pace>,
    /// What its clients have prepared.
    pub statements: Rc<RefCell<Shared>>,
    /// The settings of its clients whose servers are lent.
    pub wardrobe: Rc<RefCell<Interner>>,
    /// A picture without a table.
    pub no_tables: Arc<Schema>,
    /// Its number, from 0 on.
    worker: usize,
    /// Its pools, by listener.
    lenders: RefCell<HashMap<Arc<str>, Rc<Lenders>, GlobalState>>,
}

impl Local {
    /// Sets a worker up; its caches take at most `means.cache_bytes`. It looks for what takes too long at each beat.
    ///
    /// # Errors
    /// The threads of its analysts could not be made.
    pub fn start(means: Means, shapes: Arc<Shapes>, beat: Arc<Beat>) -> io::Result<Self> {
        let metrics = Arc::clone(&means.metrics);
        let statements = Shared::counted(&means.prepared);
        let reader = Reader::start(means, shapes)?;
        Ok(Self {
            lent: lent(),
            metrics,
            reader: RefCell::new(reader),
            timings: Rc::new(Timings::new(Arc::clone(&beat))),
            beat,
            pace: Rc::default(),
            anteroom: None,
            partings: Rc::default(),
            worker: 0,
            statements: Rc::new(RefCell::new(statements)),
            wardrobe: Rc::default(),
            no_tables: Arc::new(Schema::builder().build()),
            lenders: RefCell::default(),
        })
    }

    /// The same as the worker of that number; without this it is the first.
    #[must_use]
    pub fn of_worker(self, worker: usize) -> Self {
        self.statements.borrow_mut().number_for(worker);
        Self { worker, ..self }
    }

    /// The same with logins that wait together with those of other workers, and a place for the many.
    #[must_use]
    pub fn beside(self, login_waits: Arc<Waits>, anteroom: Arc<Anteroom>) -> Self {
        Self { pace: Rc::new(Pace::beside(login_waits)), anteroom: Some(anteroom), ..self }
    }

    /// This worker's pools of a listener.
    pub fn lenders(&self, house: &House) -> Rc<Lenders> {
        let start = || Pools::new(Arc::clone(&house.lending.register), self.worker);
        Rc::clone(self.lenders.borrow_mut().entry(Arc::clone(&house.name)).or_insert_with(start))
    }
}
