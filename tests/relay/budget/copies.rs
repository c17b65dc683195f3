//! COPY around what is cut.

use super::*;

#[test]
fn a_copy_to_the_client_is_cut_between_two_rows() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        let piece = message(b'd', b"1\n");
        let head = message(b'H', b"\0\0\0");
        put(&mut ends.server, &[head.clone(), piece.repeat(7)].concat()).await;
        expect(&mut ends.client, &[head, piece.repeat(2)].concat()).await;
        expect_refusal(&mut ends).await;
        put(&mut ends.server, &[message(b'c', b""), done("COPY 7"), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_copy_in_behind_what_was_cut_is_given_up() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), message(b'G', b"\0\0\0")].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        let word = expect_failing(&mut ends.server, b'f').await;
        put(&mut ends.server, &[error("57014", &word), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn data_for_a_copy_in_passes_while_its_group_is_watched() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        put(&mut ends.server, &message(b'G', b"\0\0\0")).await;
        expect(&mut ends.client, &message(b'G', b"\0\0\0")).await;
        ask(&mut ends, &[message(b'd', b"1\n"), message(b'c', b"")].concat()).await;
        put(&mut ends.server, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_copy_in_takes_the_sync_that_was_held_behind_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("other rows=2"), sync()].concat()).await;
        expect(&mut ends.server, &[run("other rows=2"), flush()].concat()).await;
        let begun = [ran(), message(b'G', b"\0\0\0")].concat();
        put(&mut ends.server, &begun).await;
        expect(&mut ends.client, &begun).await;
        ask(&mut ends, &[message(b'd', b"1\n"), message(b'c', b"")].concat()).await;
        put(&mut ends.client, &sync()).await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.server, &done("COPY 1")).await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect_usable(&mut ends).await;
    });
}
