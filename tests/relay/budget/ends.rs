//! Clients, servers and operators that end what is cut, or what waits behind it.

use super::*;

#[test]
fn a_client_that_leaves_during_a_cut_leaves_nothing_hanging() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.working);
    });
}

#[test]
fn a_client_that_leaves_is_noticed_while_its_next_statement_waits() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.client, &query("SELECT 2")).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.working);
    });
}

#[test]
fn what_comes_before_a_goodbye_is_carried_out_although_it_waits() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query(ROWS), query("INSERT"), message(b'X', b"")].concat()).await;
        expect(&mut ends.server, &query(ROWS)).await;
        put(&mut ends.server, &[rows(1), done("SELECT 1"), ready(b'I')].concat()).await;
        expect(&mut ends.server, &[query("INSERT"), message(b'X', b"")].concat()).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!((remains.end, remains.working), (End::ClientQuit, false));
    });
}

#[test]
fn a_kill_ends_a_session_that_is_being_cut() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().end = Some(End::Killed);
        ends.book.borrow_mut().close_cancel();
        let remains = ends.relay.await.unwrap();
        assert_eq!((remains.end, remains.working), (End::Killed, true));
    });
}

#[test]
fn a_drain_waits_for_the_end_of_a_cut() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().end = Some(End::Drained);
        expect_nothing(&mut ends.client).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        assert_eq!(ends.relay.await.unwrap().end, End::Drained);
    });
}

#[test]
fn a_server_that_dies_while_it_is_stopped_is_spoken_for_once() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        let why = message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0");
        put(&mut ends.server, &why).await;
        expect(&mut ends.client, &why).await;
        drop(ends.server);
        let remains = ends.relay.await.unwrap();
        assert!(remains.last_words.is_empty());
    });
}

#[test]
fn a_server_is_read_on_while_a_slow_client_takes_nothing() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("read rows=100")).await;
        // The rows of the budget alone fill the client's pipe.
        put(&mut ends.server, &message(b'D', &[7; 40]).repeat(5_000)).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &message(b'D', &[7; 40]).repeat(100)).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_server_that_never_pauses_is_stopped_all_the_same() {
    with_relay(1 << 16, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        let flood = message(b'D', &[7; 40]).repeat(1000);
        for _ in 0..200 {
            put(&mut ends.server, &flood).await;
            if ends.book.borrow().waker.is_some() {
                return;
            }
        }
        panic!("the cancel was never sent");
    });
}
