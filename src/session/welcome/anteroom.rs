//! Where a crowd proves who it is: on a thread of its own.
//!
//! A login is a dozen steps with a wait before each, and every packet that ends a wait would wake the worker that is to serve the session
//! later: in the middle of what it does for the sessions that it serves already, only to be told that it is not that login's turn. Here
//! all of that is nothing to the workers. They see such a client when it comes, and when it has proven who it is.
//!
//! Few who log in do so at their worker, where no other thread has to be woken on the way.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rustix::process::nice;
use tokio::sync::oneshot;

use super::{Admissible, Received, receive};
use crate::client::listener::Arrival;
use crate::config::Login;
use crate::net::detached::Detached;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::session::house::House;
use crate::session::pace::{Pace, Waits};
use crate::worker::Workers;

/// What its thread is called, with a number.
const THREAD: &str = "login";

/// How much less urgent it is than the workers, as nice(1) counts: they go first where all have something to do, and it has a tenth of their
/// time where they never rest.
const NICENESS: i32 = 10;

/// A thread that receives clients for all workers.
#[derive(Debug)]
pub struct Anteroom {
    threads: Workers<Errand>,
}

/// A client to be received, and who waits for it.
#[derive(Debug)]
struct Errand {
    house: Arc<House>,
    arrival: Arrival,
    answer: oneshot::Sender<Away>,
}

/// A client that has proven who it is, on its way to its worker.
type Away = Box<Admissible<Framed<Detached>>>;

impl Anteroom {
    /// Starts the thread. Its logins have the same `waits` as those of the `workers`, and half of the work of them: the other half of a login is
    /// its worker's.
    ///
    /// # Errors
    /// It could not be made.
    pub fn open(workers: usize, waits: &Arc<Waits>) -> io::Result<Self> {
        let waits = Arc::clone(waits);
        let settle = move |_| {
            // Where the system does not let it, it is as urgent as the workers.
            let _ = nice(NICENESS);
            let pace = Rc::new(Pace::beside(Arc::clone(&waits)).for_half_of(workers));
            let room = Rc::clone(&pace);
            Ok((async move || room.room().await, move |errand| run(Rc::clone(&pace), errand)))
        };
        Ok(Self { threads: Workers::start(THREAD, 1, settle)? })
    }

    /// Is it a place for clients of this listener? Where the server checks their passwords, its connection is part of the login, and that is
    /// the worker's.
    pub fn suits(house: &House) -> bool {
        house.settings.load().listener.login != Login::Relay
    }

    /// Waits until it has room for another client. Cancel-safe.
    pub async fn room(&self) {
        self.threads.room().await;
    }

    /// Has a client received. `None`: it is gone. Cancel-safe as [`receive`] is.
    pub async fn receive(&self, house: &Arc<House>, arrival: Arrival) -> Option<Received> {
        let (answer, answered) = oneshot::channel();
        self.threads.give(Errand { house: Arc::clone(house), arrival, answer }).await;
        let away = answered.await.ok()?;
        let attach = |client: Framed<Detached>| client.carried(Detached::attach);
        away.carried(attach).ok().map(Box::new).map(Received::Proven)
    }
}

/// Receives one client, in its turn. Where nobody waits for it any more, it is let go.
async fn run(pace: Rc<Pace>, errand: Errand) {
    let Errand { house, arrival, mut answer } = errand;
    let wait_max = house.login_wait_max();
    let received = async {
        tokio::select! {
            received = receive(&house, arrival) => received,
            () = answer.closed() => None,
        }
    };
    let Some(Received::Proven(admissible)) = pace.login(wait_max, Box::pin(received)).await else { return };
    let detach = |client: Framed<Stream>| client.carried(Stream::detach);
    if let Ok(away) = admissible.carried(detach) {
        // Whoever has stopped waiting gives it up.
        drop(answer.send(Box::new(away)));
    }
}
