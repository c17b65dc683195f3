//! One session from its socket to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::cancel::{CANCEL_AGAIN, CANCELS_MAX, Key, Target};
use super::end::End;
use super::house::House;
use super::ledger::Ledger;
use super::lending::borrowed::Borrowed;
use super::lending::kept::Kept;
use super::lending::recover::recover;
use super::lending::translate::Translator;
use super::local::Local;
use super::pace::Pace;
use super::relay::{Left, Owned, Relay, Remains};
use super::statements::{Bounds, Repeats};
use super::welcome::pooled::Place;
use super::welcome::{Back, Guest, welcome};
use crate::client::listener::Arrival;
use crate::net::socket::close;
use crate::net::stream::Stream;
use crate::roster::{Entry, Seat, Signal};
use crate::wire::pg::Pg;

/// How long a client may take to read the last words.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long its places are kept after that for a client that has read them and does not close.
const LINGER: Duration = Duration::from_millis(500);
/// How long a server may take to close. Its place under the caps is free only then, since it counts the connection until then.
const CLOSING: Duration = Duration::from_secs(10);

/// Serves one client. What only the login or the end needs is boxed, so that an idle session's task does not carry it.
pub fn serve(house: Arc<House>, local: Rc<Local>, arrival: Arrival) -> impl Future<Output = ()> + 'static {
    let pace = Rc::clone(&local.pace);
    let caps = &house.settings.load().caps;
    let wait_max = caps.queue_wait.min(caps.login_timeout);
    let entering = pace.login(wait_max, Box::pin(enter(Arc::clone(&house), local, arrival)));
    async move {
        match entering.await {
            Some(Settled::Own(relay)) => {
                let remains = relay.run().await;
                Box::pin(part(&house, remains)).await;
            }
            Some(Settled::Pooled(relay)) => {
                let remains = relay.run().await;
                Box::pin(part_from_pool(&house, remains)).await;
            }
            None => {}
        }
    }
}

/// The turns by which a session ends that leaves no server behind which others may wait for. `None`: it ends at once, since it leaves
/// something there, such as a lock, or because the process ends.
fn turns<S>(remains: &Remains<Stream, S, Ledger>) -> Option<Rc<Pace>> {
    let by_itself = match remains.end {
        End::ClientQuit | End::ClientGone | End::IdleTooLong | End::Moved | End::Outdated => true,
        End::Drained => remains.overseer.stay.seat.signalled() == Signal::Drain,
        _ => false,
    };
    (by_itself && remains.left == Left::Clean).then(|| remains.overseer.partings())
}

/// Thousands that leave at once would keep everybody else waiting until all of them are gone: they end by and by.
async fn in_turn(turns: Option<Rc<Pace>>, parting: impl Future<Output = ()>) {
    let parting = pin!(parting);
    match turns {
        Some(pace) => pace.parting(parting).await,
        None => parting.await,
    }
}

/// Takes one client in. `None`: it is gone.
async fn enter(house: Arc<House>, local: Rc<Local>, arrival: Arrival) -> Option<Settled> {
    // A task's waker stays the same for its life, so once is enough.
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let guest = Box::pin(welcome(&house, &local, arrival)).await?;
    settle(&house, &local, guest, &waker)
}

/// A session that can begin.
enum Settled {
    /// With a server of its own.
    Own(Box<Relay<Pg, Stream, Owned<Stream>, Ledger>>),
    /// With a server for each transaction.
    Pooled(Box<Relay<Pg, Stream, Borrowed, Ledger>>),
}

fn borrowed(house: &Arc<House>, local: &Local, place: Place, target: Arc<Target>, entry: Arc<Entry>) -> Borrowed {
    let Place { pool, startup, told } = place;
    let settings = house.settings.load();
    let keys = &settings.listener.pool;
    let repeats = if keys.prepare_unnamed { Repeats::Prepared } else { Repeats::Unnamed };
    let bounds = Bounds { statements: keys.max_client_prepared_statements, repeats, ..Bounds::default() };
    let translator = Translator::new(Rc::clone(&local.statements), bounds);
    let kept = Kept::new(Rc::clone(&local.wardrobe), startup, told);
    Borrowed::new(house, pool, target, entry, (translator, kept))
}

/// Ends a session whose server was lent: what it leaves there is cleaned up before anybody else has it.
async fn part_from_pool(house: &House, remains: Remains<Stream, Borrowed, Ledger>) {
    let turns = turns(&remains).filter(|_| remains.server.holds_nothing());
    remains.server.target().looks_no_more();
    let parting = async move {
        let Remains { end, client, server, left, behind, overseer, last_words, .. } = remains;
        house.common.metrics.session_ended(end.label());
        let stay = overseer.into_stay();
        let patient = || finishing(end, &stay.seat);
        if is_cancelled(end, left) {
            house.common.metrics.own_cancel(SESSION_ENDED);
        }
        tokio::join!(tell(client, end, &last_words), recover(server, end, left, behind, patient));
    };
    in_turn(turns, parting).await;
}

/// Where nothing is awaited, the task need not carry what is moved. `None`: it has no key, which a pool's client always has.
fn settle(house: &Arc<House>, local: &Rc<Local>, guest: Guest, waker: &Waker) -> Option<Settled> {
    let Guest { client, back, from_client, from_server, settings, stay } = guest;
    let mut ledger = Ledger::new(Arc::clone(house), Rc::clone(local), stay);
    ledger.register(waker);
    ledger.take_in(&settings);
    let lent = Rc::clone(&local.lent);
    match back {
        Back::Own(server) => {
            let relay = Relay::<Pg, _, _, _>::new(client, Owned(server), lent, ledger);
            Some(Settled::Own(Box::new(relay.with_read(&from_client, &from_server))))
        }
        Back::Pool(place) => {
            let target = ledger.stay.key.as_ref().map(Key::target)?;
            ledger.tidies();
            let borrowed = borrowed(house, local, *place, target, ledger.stay.seat.entry());
            let relay = Relay::<Pg, _, _, _>::new(client, borrowed, lent, ledger);
            Some(Settled::Pooled(Box::new(relay.with_read(&from_client, &[]))))
        }
    }
}

async fn part(house: &House, remains: Remains<Stream, Owned<Stream>, Ledger>) {
    let turns = turns(&remains);
    if let Some(key) = &remains.overseer.stay.key {
        key.target().looks_no_more();
    }
    let parting = async move {
        let Remains { end, client, server: Owned(server), overseer, last_words, working, .. } = remains;
        house.common.metrics.session_ended(end.label());
        let stay = overseer.into_stay();
        let seen_off = async {
            match stay.key.as_ref().filter(|_| working) {
                Some(key) => cancel(house, key, server).await,
                None => see_off(end, &stay.seat, server).await,
            }
        };
        tokio::join!(tell(client, end, &last_words), seen_off);
    };
    in_turn(turns, parting).await;
}

/// Does nobody wait any more for what the server works on?
fn is_cancelled(end: End, left: Left) -> bool {
    match end {
        End::ServerGone | End::ServerMalformed(_) => false,
        End::ClientQuit => left == Left::Unclear,
        _ => matches!(left, Left::Unclear | Left::Working),
    }
}

/// Why what runs there is cancelled, as a metric label; beside the names of the rules.
const SESSION_ENDED: &str = "session_ended";

/// Ends what the server works on, and the connection.
async fn cancel(house: &House, key: &Key, server: Stream) {
    let target = key.target();
    house.common.metrics.own_cancel(SESSION_ENDED);
    target.stop().await;
    let mut closed = pin!(close(server));
    for _ in 0..CANCELS_MAX {
        if timeout(CANCEL_AGAIN, closed.as_mut()).await.is_ok() {
            return;
        }
        target.stop().await;
    }
}

async fn see_off(end: End, seat: &Seat, server: Stream) {
    let mut closed = pin!(close(server));
    while timeout(CLOSING, closed.as_mut()).await.is_err() && finishing(end, seat) {}
}

/// A client that said goodbye may have left long work behind, which the server carries out before it closes.
fn finishing(end: End, seat: &Seat) -> bool {
    end == End::ClientQuit && matches!(seat.signalled(), Signal::None | Signal::Idle | Signal::Outdated | Signal::Drain)
}

/// Says the last words, where there is somebody to hear them.
async fn tell(mut client: Stream, end: End, last_words: &[u8]) {
    // Where nothing is said, nothing can be lost by closing at once.
    let has_left = matches!(end, End::ClientQuit | End::ClientGone) && last_words.is_empty();
    if has_left && !client.is_tls() {
        return;
    }
    if let Ok(Ok(())) = timeout(LAST_WORDS, client.write_all(last_words)).await {
        drop(timeout(LINGER, close(client)).await);
    }
}
