//! Values that take long to read are read elsewhere, and judged as if they had been read here.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use crate::guard::Guard;
use crate::roster::Seat;
use crate::session::house::House;
use crate::session::judge::Judge;
use crate::session::judge::tests::{house, judge, seat};
use crate::session::overseer::{Extent, Opinion};
use crate::wire::{Refusal, Request, Transaction, Values};

fn defaults() -> Arc<House> {
    house(Guard::build(&toml::Table::new()).unwrap())
}

/// What follows the names in a Bind of one array as text, with so many elements.
fn array(elements: usize, element: &str) -> Vec<u8> {
    let text = format!("{{{}}}", vec![element; elements].join(","));
    [&b"\0\0\0\x01"[..], &(text.len() as u32).to_be_bytes(), text.as_bytes(), b"\0\0"].concat()
}

async fn prepare(judge: &mut Judge, text: &str, who: &Seat) {
    let prepare = Request::Prepare { name: b"s", text: text.as_bytes() };
    let size = text.len() as u64;
    if let Opinion::Wait = judge.opinion(prepare, Extent { size, held: size }, who) {
        assert!(matches!(poll_fn(|cx| judge.poll_opinion(cx, who)).await, Opinion::Allow));
    }
    judge.forwarded(prepare, who);
}

fn bind<'a>(portal: &'a [u8], values: &'a [u8]) -> Request<'a> {
    Request::Bind { portal, statement: b"s", values: Values::new(values) }
}

/// What is thought of a Bind that is all here, and whether it was read elsewhere.
async fn bound(judge: &mut Judge, values: &[u8], who: &Seat) -> (Opinion, bool) {
    let size = values.len() as u64 + 20;
    match judge.opinion(bind(b"p", values), Extent { size, held: size }, who) {
        Opinion::Lend => {
            judge.lend(Bytes::copy_from_slice(values));
            (poll_fn(|cx| judge.poll_opinion(cx, who)).await, true)
        }
        opinion => (opinion, false),
    }
}

fn refused(opinion: Opinion) -> Refusal {
    let Opinion::Refuse(refusal) = opinion else { panic!("{opinion:?}") };
    refusal
}

#[tokio::test]
async fn a_long_array_is_counted_elsewhere_and_judged_alike() {
    let house = defaults();
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    prepare(&mut judge, "DELETE FROM t WHERE id = ANY($1)", &who).await;
    let long = "x".repeat(100);
    for (elements, element, elsewhere, passes) in
        [(10, "1", false, true), (6_000, "1", false, false), (4_000, &*long, true, true), (6_000, &*long, true, false)]
    {
        let (opinion, lent) = bound(&mut judge, &array(elements, element), &who).await;
        assert_eq!(lent, elsewhere, "{elements} of {} bytes", element.len());
        if passes {
            assert!(matches!(opinion, Opinion::Allow), "{opinion:?}");
        } else {
            let message = refused(opinion).message;
            assert!(message.contains("rule=bulk_write") && message.contains("6000"), "{message}");
        }
    }
    let rendered = house.common.metrics.render();
    let bytes = rendered.lines().find_map(|line| line.strip_prefix("floodwall_guard_bytes ")).unwrap();
    assert!(bytes.parse::<u64>().unwrap() < 100_000, "what was lent still counts: {bytes}");
}

#[tokio::test]
async fn the_beginning_of_a_long_array_refuses_or_asks_for_more() {
    let house = defaults();
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    prepare(&mut judge, "DELETE FROM t WHERE id = ANY($1)", &who).await;
    let long = "x".repeat(100);
    for (held, passes) in [(200_000, true), (550_000, false)] {
        let values = array(8_000, &long);
        let extent = Extent { size: values.len() as u64 + 20, held };
        let part = &values[..held as usize];
        assert!(matches!(judge.opinion(bind(b"p", part), extent, &who), Opinion::Lend));
        judge.lend(Bytes::copy_from_slice(part));
        match poll_fn(|cx| judge.poll_opinion(cx, &who)).await {
            Opinion::More(bytes) => assert!(passes && bytes == held * 4, "{bytes}"),
            opinion => assert!(!passes && refused(opinion).message.contains("bulk_write")),
        }
    }
}

#[tokio::test]
async fn long_values_that_nobody_waits_for_leave_nothing_behind() {
    let house = defaults();
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    prepare(&mut judge, "DELETE FROM t WHERE id = ANY($1)", &who).await;
    let values = array(100_000, "1");
    let size = values.len() as u64 + 20;
    let extent = Extent { size, held: size };
    assert!(matches!(judge.opinion(bind(b"p", &values), extent, &who), Opinion::Lend));
    judge.lend(Bytes::copy_from_slice(&values));
    judge.withdraw();
    let (opinion, lent) = bound(&mut judge, &array(10, "1"), &who).await;
    assert!(matches!(opinion, Opinion::Allow) && !lent, "the next one is judged for itself");
}

#[tokio::test]
async fn what_the_server_skips_replaces_no_statement() {
    let house = defaults();
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    let values = array(6_000, "1");
    prepare(&mut judge, "DELETE FROM t WHERE id = ANY($1)", &who).await;
    judge.forwarded(Request::Sync, &who);
    judge.settled(Transaction::None);
    // The server fails on the Bind, so it skips the rest; it fails on a Parse since the name is taken; and on a Query of an earlier group.
    for first in [bind(b"p", b"\0\0\0\0\0\0"), Request::Flush, Request::Run { text: b"SELECT 1/0" }] {
        judge.forwarded(first, &who);
        if first != Request::Flush {
            judge.forwarded(Request::Forget { statement: b"s" }, &who);
        }
        prepare(&mut judge, "SELECT $1::int[]", &who).await;
        judge.failed();
        judge.forwarded(Request::Sync, &who);
        assert!(refused(bound(&mut judge, &values, &who).await.0).message.contains("rule=bulk_write"), "{first:?}");
        judge.settled(Transaction::None);
        assert!(refused(bound(&mut judge, &values, &who).await.0).message.contains("rule=bulk_write"), "{first:?}");
    }
    // What goes well replaces it, at once for its own group.
    judge.forwarded(Request::Forget { statement: b"s" }, &who);
    prepare(&mut judge, "SELECT $1::int[]", &who).await;
    assert!(matches!(bound(&mut judge, &values, &who).await.0, Opinion::Allow));
    judge.forwarded(Request::Sync, &who);
    judge.settled(Transaction::None);
    assert!(matches!(bound(&mut judge, &values, &who).await.0, Opinion::Allow));
}
