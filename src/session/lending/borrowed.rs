//! A session's servers, each for a transaction.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::spawn_local;

use super::{Lender, Lent};
use crate::client::refuse;
use crate::clock;
use crate::net::stream::Stream;
use crate::roster::{Activity, Entry};
use crate::server::pool::{Lease, Member, Unserved};
use crate::session::cancel::Target;
use crate::session::house::House;
use crate::session::relay::Source;
use crate::telemetry::Pass;
use crate::wire::Refusal;

/// What the relay of a session with lent servers asks.
#[derive(Debug)]
pub struct Borrowed {
    house: Arc<House>,
    lease: Lease<super::maker::Maker>,
    target: Arc<Target>,
    entry: Arc<Entry>,
}

impl Borrowed {
    /// Holds no server yet.
    pub fn new(house: &Arc<House>, pool: Rc<Lender>, target: Arc<Target>, entry: Arc<Entry>) -> Self {
        Self { house: Arc::clone(house), lease: Lease::new(pool), target, entry }
    }

    /// The server at hand.
    pub fn server(&mut self) -> Option<&mut Lent> {
        self.lease.server()
    }

    /// What cancels the statement of the server at hand.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Closes the server at hand: nobody can tell what is left in it.
    pub fn close(&mut self) {
        self.lets_go();
        if let Some(server) = self.lease.release() {
            server.close();
        }
    }

    fn lets_go(&self) {
        self.target.lets_go();
        self.entry.set_server_generation(None);
    }

    /// Notes the server at hand. False where the statement that waited for it was cancelled meanwhile.
    fn took(&mut self) -> bool {
        let Some(server) = self.lease.server() else { return true };
        let backend = server.process.backend();
        self.entry.set_server_pid(backend.pid());
        self.entry.set_server_generation(Some(server.choice.generation));
        self.target.takes(backend)
    }

    fn waits_no_more(&self) {
        self.target.lets_go();
        self.entry.set_activity(Activity::Idle, clock::uptime_ms());
    }

    fn cancelled(&self) -> Refusal {
        self.waits_no_more();
        refuse::cancelled_while_waiting()
    }

    fn refused(&self, unserved: &Unserved) -> Refusal {
        let refusal = super::unserved(unserved);
        let rule = match unserved {
            Unserved::QueueFull(_) => "pool_queue_length",
            Unserved::TooLong(..) => "query_wait_timeout",
            Unserved::NotMade(_) => "server",
        };
        let common = &self.house.common;
        common.metrics.refused(rule, &self.entry.client);
        if let Pass::Write { suppressed } = common.gate.pass(&refusal.rule) {
            let why = &refusal.message;
            tracing::warn!(client = &*self.entry.client, why, suppressed, "a statement got no server");
        }
        refusal
    }
}

impl Source for Borrowed {
    type Stream = Stream;

    const LENT: bool = true;

    fn stream(&mut self) -> Option<&mut Stream> {
        self.lease.server().map(|server| &mut server.stream)
    }

    fn is_here(&self) -> bool {
        self.lease.is_here()
    }

    fn try_lease(&mut self) -> bool {
        let here = self.lease.try_take();
        if here {
            self.took();
        }
        here
    }

    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        if self.target.take_cancelled() {
            self.lease.leave();
            return Poll::Ready(Err(self.cancelled()));
        }
        self.target.waits();
        match self.lease.poll_take(cx) {
            Poll::Pending => {
                self.entry.set_activity(Activity::Waiting, clock::uptime_ms());
                Poll::Pending
            }
            Poll::Ready(Ok(())) if self.took() => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => {
                self.give_back();
                Poll::Ready(Err(self.cancelled()))
            }
            Poll::Ready(Err(unserved)) => {
                self.waits_no_more();
                Poll::Ready(Err(self.refused(&unserved)))
            }
        }
    }

    fn give_back(&mut self) {
        if !self.lease.is_here() {
            return;
        }
        self.lets_go();
        let Some(server) = self.lease.server() else { return };
        let backend = server.process.backend();
        if !backend.is_cancelled() && !backend.is_doubtful() {
            return self.lease.give();
        }
        // A cancel is on its way, or may be: whoever comes next must not be hit by it.
        if let Some(server) = self.lease.release() {
            let (pool, backend) = (Rc::clone(self.lease.pool()), Arc::clone(server.process.backend()));
            spawn_local(async move {
                backend.quiet().await;
                if backend.is_doubtful() { server.close() } else { pool.give_back(server) }
            });
        }
    }
}
