//! One session from its socket to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::cancel::Key;
use super::end::End;
use super::house::House;
use super::ledger::Ledger;
use super::local::Local;
use super::relay::{Relay, Remains};
use super::welcome::{Guest, welcome};
use crate::client::listener::Arrival;
use crate::net::socket::close;
use crate::net::stream::Stream;
use crate::roster::{Seat, Signal};
use crate::wire::pg::Pg;

/// How long a client may take to read the last words.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long its places are kept after that for a client that has read them and does not close.
const LINGER: Duration = Duration::from_millis(500);
/// How long a server may take to close. Its place under the caps is free only then, since it counts the connection until then.
const CLOSING: Duration = Duration::from_secs(10);
/// A cancel request that overtakes its statement is lost at the server, so it is sent again until the server has closed.
const CANCEL_AGAIN: Duration = Duration::from_millis(500);
/// A server that takes no notice of so many is left to itself.
const CANCELS_MAX: usize = 20;

/// Serves one client. What only the login or the end needs is boxed, so that an idle session does not carry it.
pub async fn serve(house: Arc<House>, local: Rc<Local>, arrival: Arrival) {
    // A task's waker stays the same for its life, so once is enough.
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let Some(guest) = Box::pin(welcome(&house, arrival)).await else { return };
    let relay = settle(&house, &local, guest, &waker);
    drop(waker);
    let remains = relay.run().await;
    Box::pin(part(&house, remains)).await;
}

/// Where nothing is awaited, the task need not carry what is moved.
fn settle(
    house: &Arc<House>,
    local: &Rc<Local>,
    guest: Guest,
    waker: &Waker,
) -> Box<Relay<Pg, Stream, Stream, Ledger>> {
    let Guest { client, server, from_client, from_server, settings, stay } = guest;
    let mut ledger = Ledger::new(Arc::clone(house), Rc::clone(local), stay);
    ledger.register(waker);
    ledger.take_in(&settings);
    let relay = Relay::<Pg, _, _, _>::new(client, server, Rc::clone(&local.lent), ledger);
    Box::new(relay.with_read(&from_client, &from_server))
}

async fn part(house: &House, remains: Remains<Stream, Stream, Ledger>) {
    let Remains { end, client, server, overseer, last_words, working } = remains;
    house.common.metrics.session_ended(end.label());
    let stay = overseer.into_stay();
    let told = tell(client, &last_words);
    let seen_off = async {
        match stay.key.as_ref().filter(|_| working) {
            Some(key) => cancel(house, key, server).await,
            None => see_off(end, &stay.seat, server).await,
        }
    };
    tokio::join!(told, seen_off);
}

/// Ends what the server works on, and the connection.
async fn cancel(house: &House, key: &Key, server: Stream) {
    let target = key.target();
    let outcome = if target.cancel().await { "client_gone" } else { "server_unreachable" };
    house.common.metrics.cancel(outcome);
    let mut closed = pin!(close(server));
    for _ in 0..CANCELS_MAX {
        if timeout(CANCEL_AGAIN, closed.as_mut()).await.is_ok() {
            return;
        }
        target.cancel().await;
    }
}

async fn see_off(end: End, seat: &Seat, server: Stream) {
    let mut closed = pin!(close(server));
    while timeout(CLOSING, closed.as_mut()).await.is_err() && finishing(end, seat) {}
}

/// A client that said goodbye may have left long work behind, which the server carries out before it closes.
fn finishing(end: End, seat: &Seat) -> bool {
    end == End::ClientQuit && matches!(seat.signalled(), Signal::None | Signal::Drain)
}

/// Says the last words, where there is somebody to hear them.
async fn tell(mut client: Stream, last_words: &[u8]) {
    if let Ok(Ok(())) = timeout(LAST_WORDS, client.write_all(last_words)).await {
        drop(timeout(LINGER, close(client)).await);
    }
}
