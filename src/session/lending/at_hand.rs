//! The server at hand: how it becomes the session's, and how it goes to others or is closed.

use std::rc::Rc;
use std::sync::Arc;

use tokio::task::spawn_local;

use super::borrowed::Borrowed;
use super::own::Own;
use crate::server::pool::{Member, Standing};
use crate::traffic::Count;

impl Borrowed {
    /// Done once the server at hand does not answer and another one is used; never where there is none at hand. Cancel-safe.
    pub(super) fn silence(&mut self) -> impl Future<Output = ()> + use<> {
        let generation = self.lease.server().map(|server| server.choice.generation);
        let house = Arc::clone(&self.house);
        async move {
            match generation {
                Some(generation) => house.nodes.silent(generation).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Closes the server at hand: nobody can tell what is left in it.
    pub fn close(&mut self) {
        self.lets_go();
        self.own = Own::Nothing;
        if let Some(server) = self.lease.release() {
            server.close();
        }
    }

    /// The server at hand is the session's no more: no cancel leads there, and what the session had prepared there is counted.
    fn lets_go(&mut self) {
        self.cancelled |= self.target.lets_go();
        self.entry.set_server_generation(None);
        let prepared = self.lease.server().map_or(0, |server| server.hold.known.take_made());
        if prepared > 0 {
            self.entry.traffic.add(Count::ServerPrepared, prepared);
        }
    }

    /// The server at hand is the session's from now on.
    pub(super) fn took(&mut self) {
        let Some(server) = self.lease.server() else { return };
        let backend = server.process.backend();
        self.entry.set_server_pid(backend.pid());
        self.entry.set_server_generation(Some(server.choice.generation));
        self.cancelled |= !self.target.takes(backend);
        self.kept.news(server, &mut self.words);
    }

    /// Gives the server at hand to whoever wants it. The key leads nowhere from here on: a cancel that its client sent before it left
    /// would hit whoever is next.
    pub(super) fn release(&mut self) {
        self.lets_go();
        let Some(server) = self.lease.server() else { return };
        if self.advanced {
            server.hold.advanced_by = Some(self.entry.number);
        }
        let backend = server.process.backend();
        if !backend.is_cancelled() && !backend.is_doubtful() {
            return self.lease.give();
        }
        // A cancel is on its way, or may be: whoever comes next must not be hit by it.
        if let Some(server) = self.lease.release() {
            let (pool, backend) = (Rc::clone(self.lease.pool()), Arc::clone(server.process.backend()));
            server.slot.stands(Standing::BeingCanceled);
            spawn_local(async move {
                backend.quiet().await;
                if backend.is_doubtful() { server.close() } else { pool.give_back(server) }
            });
        }
    }
}
