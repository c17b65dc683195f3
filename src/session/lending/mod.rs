//! `pool = "transaction"`: a session has a server for as long as a transaction lasts.
//!
//! [`borrowed`] is what the relay asks for servers: a statement is `waiting` for one, has it `at_hand`, and may leave something there
//! (`leaves`). [`maker`] makes servers for a pool, and [`recover`] leads one back to where it is clean when its session has ended in the
//! middle of something. [`translate`] keeps the prepared statements of clients apart.
//!
//! A login ends without a server, with one of the [`greetings`] that a server `fitting` the client has given. What a session keeps
//! meanwhile is in [`kept`]. `own` says what is ours to do at a server before and after a transaction, by an [`exchange`] of messages:
//! `dress` gives it the client's settings, `ahead` nothing but its name.

pub mod accounts;
mod ahead;
mod at_hand;
pub mod borrowed;
mod bounds;
mod dress;
pub mod exchange;
pub(in crate::session) mod fitting;
pub mod greetings;
pub mod kept;
mod leaves;
pub mod maker;
mod own;
pub mod places;
mod reach;
pub mod recover;
mod settling;
pub mod translate;
pub mod turns;
mod waiting;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use self::accounts::Accounts;
use self::ahead::Ahead;
use self::greetings::Greetings;
use self::maker::Maker;
use self::turns::Turns;
use crate::client::admission::ServerPermit;
use crate::client::pools::PoolRules;
use crate::client::refuse::{self, Lack};
use crate::config::{Config, Listener};
use crate::server::pool::{Key, NotMade, Pool, PoolRow, Pools, Register, Unserved};
use crate::server::pooled::{Away, Server};
use crate::session::state::Settings;
use crate::session::statements::Known;
use crate::telemetry::GaugeGuard;
use crate::wire::Refusal;

/// What a server of a pool holds while it lasts.
#[derive(Debug)]
pub struct Hold {
    /// Its place under the caps of server connections.
    pub permit: ServerPermit,
    /// Its part of the gauge.
    pub gauge: GaugeGuard,
    /// What it has prepared.
    pub known: Known,
    /// Its session's settings, beside the defaults of its role and database.
    pub settings: Arc<Settings>,
    /// The session that may have set more, which nobody else must see.
    pub stained_by: Option<u64>,
    /// The session that may have set the last value of a sequence last.
    pub advanced_by: Option<u64>,
    /// What went there ahead of the client's statement and is not answered yet.
    pub(in crate::session) ahead: Option<Box<Ahead>>,
}

impl Hold {
    /// Has its session these settings, and nothing that another session than this one may have set besides?
    fn wears(&self, settings: &Arc<Settings>, session: Option<u64>) -> bool {
        self.settings == *settings && (self.stained_by.is_none() || self.stained_by == session)
    }
}

/// A server of a pool.
pub type Lent = Server<Hold>;
/// A worker's part of a pool.
pub type Lender = Pool<Maker>;
/// A worker's pools of a listener.
pub type Lenders = Pools<Maker>;

/// What all workers share of a listener's pools.
#[derive(Debug)]
pub struct Lending {
    /// The pools.
    pub register: Arc<Register<Away<Hold>>>,
    /// As whom their servers are logged in.
    accounts: Accounts,
    /// What clients are greeted with.
    pub greetings: Greetings,
    /// How many statements each of their servers keeps prepared.
    pub(in crate::session) statements_most: Arc<AtomicUsize>,
    /// Whose server is made next of those who come to a pool without one.
    pub newcomers: Turns,
    logins: Semaphore,
    logins_most: Mutex<usize>,
}

impl Lending {
    /// Without a pool yet.
    pub fn new(config: &Config, listener: &Listener) -> Self {
        let most = listener.pool.max_server_logins;
        Self {
            register: Register::new(PoolRules::new(listener), config.workers),
            accounts: Accounts::default(),
            greetings: Greetings::default(),
            statements_most: Arc::new(AtomicUsize::new(listener.pool.max_prepared_statements)),
            newcomers: Turns::default(),
            logins: Semaphore::new(most),
            logins_most: Mutex::new(most),
        }
    }

    /// Puts other limits in force. No transaction is cut: what is too much goes when it is given back.
    pub fn reload(&self, listener: &Listener) {
        self.register.set_bounds(PoolRules::new(listener));
        self.statements_most.store(listener.pool.max_prepared_statements, Ordering::Relaxed);
        let wanted = listener.pool.max_server_logins;
        let mut most = self.logins_most.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > *most {
            self.logins.add_permits(wanted.saturating_sub(*most));
            *most = wanted;
        } else {
            *most = most.saturating_sub(self.logins.forget_permits(most.saturating_sub(wanted)));
        }
    }

    /// The drain has begun: what is idle is closed, and nothing is kept that nobody waits for.
    pub fn retire(&self) {
        self.register.keep_no_least();
        self.register.reconnect(None);
    }

    /// A place for a login at the server, first come, first served. `None` never comes about.
    async fn login(&self) -> Option<SemaphorePermit<'_>> {
        self.logins.acquire().await.ok()
    }

    /// A row for each pool.
    pub fn rows(&self) -> Vec<PoolRow> {
        self.register.rows()
    }
}

/// The words for a client of this pool that got no server.
fn unserved(unserved: &Unserved, pool: &Lender) -> Refusal {
    match unserved {
        Unserved::QueueFull(waiting) => refuse::pool_queue_full(*waiting),
        Unserved::TooLong(waited, why) => refuse::pool_waited(*waited, &lack(why.as_ref(), pool)),
        Unserved::NotMade(NotMade::Denied { sqlstate, message }) => {
            refuse::pool_denied(&pool.maker().user(), sqlstate, message)
        }
        Unserved::NotMade(why) => refuse::pool_has_no_server(&why.to_string()),
    }
}

/// What a statement of this pool has waited for in vain; `why`: what hindered the pool from growing.
fn lack(why: Option<&NotMade>, pool: &Lender) -> Lack {
    if pool.is_paused() {
        return Lack::Paused;
    }
    match (pool.maker().server_fault(), why) {
        (Some(fault), _) => Lack::Silent(fault),
        (None, Some(NotMade::Full(why))) => Lack::Full(why.clone()),
        (None, Some(why @ (NotMade::Failed(_) | NotMade::Denied { .. }))) => Lack::Unmade(why.to_string()),
        (None, Some(NotMade::InLine) | None) if pool.is_beginning() => Lack::Dialled,
        // Somebody asks for a place still, for as long as this statement has waited for one.
        (None, Some(NotMade::InLine) | None) if pool.is_placing() => {
            pool.maker().hindrance().map_or(Lack::Busy, Lack::Full)
        }
        (None, Some(NotMade::InLine) | None) => Lack::Busy,
    }
}
