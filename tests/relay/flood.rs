//! Very many tiny messages: each gets through, and between them other sessions of the worker get their turn.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use floodwall::session::end::End;
use tokio::task::spawn_local;

use crate::support::{Book, expect, expect_nothing, flush, message, parse, put, query, ready, receive, with_relay};

/// Messages of a flood: more than one read holds.
const MANY: usize = 14_000;
/// So many are looked at in one turn, and no more.
const TURN: usize = 1_000;
/// Room for all of a flood.
const PIPE: usize = 1 << 20;

/// Notes at each turn of another task how far the session has come: the longest step that it made at once.
fn watch_steps(book: &Rc<RefCell<Book>>, seen: fn(&Book) -> usize) -> Rc<RefCell<usize>> {
    let longest = Rc::new(RefCell::new(0));
    let (noted, book) = (Rc::clone(&longest), Rc::clone(book));
    spawn_local(async move {
        let mut last = 0;
        loop {
            let now = seen(&book.borrow());
            let step = now - last;
            last = now;
            let before = *noted.borrow();
            noted.replace(before.max(step));
            step_aside().await;
        }
    });
    longest
}

/// Lets every other task that is ready run once: [`tokio::task::yield_now`] comes back later than that.
async fn step_aside() {
    let mut stood = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut stood, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn forwarded(book: &Book) -> usize {
    book.forwarded.len()
}

#[test]
fn messages_of_a_client_pass_a_portion_at_a_time() {
    for tiny in [message(b'S', b""), flush(), message(b'C', b"Sx\0"), query(";"), message(b'd', b"1")] {
        with_relay(PIPE, |mut ends| async move {
            let longest = watch_steps(&ends.book, forwarded);
            let flood = tiny.repeat(MANY);
            put(&mut ends.client, &flood).await;
            expect(&mut ends.server, &flood).await;
            let longest = *longest.borrow();
            assert!((1..=TURN).contains(&longest), "{longest} of {:?} in one turn", char::from(tiny[0]));
        });
    }
}

#[test]
fn messages_of_a_server_pass_a_portion_at_a_time() {
    with_relay(PIPE, |mut ends| async move {
        let (asked, answered) = (message(b'S', b"").repeat(MANY), ready(b'I').repeat(MANY));
        put(&mut ends.client, &asked).await;
        expect(&mut ends.server, &asked).await;
        let longest = watch_steps(&ends.book, |book| book.boundaries.len());
        put(&mut ends.server, &answered).await;
        expect(&mut ends.client, &answered).await;
        assert!((1..=TURN).contains(&*longest.borrow()), "{} in one turn", longest.borrow());
        put(&mut ends.client, &query("SELECT 1")).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

/// The end of the stream is no reason to leave out what came before it.
#[test]
fn what_a_server_said_before_it_closed_comes_through() {
    with_relay(PIPE, |mut ends| async move {
        let notices = message(b'N', b"\0").repeat(MANY);
        put(&mut ends.server, &notices).await;
        drop(ends.server);
        expect(&mut ends.client, &notices).await;
        assert_eq!(ends.relay.await.unwrap().end, End::ServerGone);
    });
}

#[test]
fn a_goodbye_behind_a_flood_comes_behind_all_of_it() {
    with_relay(PIPE, |mut ends| async move {
        let flood = [flush().repeat(MANY), message(b'X', b"")].concat();
        put(&mut ends.client, &flood).await;
        drop(ends.client);
        expect(&mut ends.server, &flood).await;
        assert_eq!(ends.relay.await.unwrap().end, End::ClientQuit);
    });
}

#[test]
fn a_refusal_in_a_flood_stands_where_it_belongs() {
    with_relay(PIPE, |mut ends| async move {
        let half = flush().repeat(MANY / 2);
        let refused = [parse("", "refuse"), message(b'C', b"Sx\0").repeat(MANY), message(b'S', b"")].concat();
        put(&mut ends.client, &[half.clone(), refused, half.clone(), query("SELECT 1")].concat()).await;
        expect(&mut ends.server, &[half.clone(), half, query("SELECT 1")].concat()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.client, &ready(b'I')).await;
        expect_nothing(&mut ends.client).await;
    });
}
