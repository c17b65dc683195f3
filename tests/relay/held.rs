//! How much of a frame is held before it is decided on, and what of COPY data goes nowhere.

use crate::support::{
    DATA_MAX, Ends, error, expect, expect_nothing, message, parse, put, query, ready, receive, with_relay,
};

fn bind(statement: &str, value: usize) -> Vec<u8> {
    let size = u32::try_from(value).unwrap().to_be_bytes();
    let head = [b"\0", statement.as_bytes(), b"\0\0\0\0\x01", &size].concat();
    message(b'B', &[head, vec![b'x'; value], vec![0, 0]].concat())
}

#[test]
fn an_opinion_gets_as_much_of_a_frame_as_it_wants_and_no_more() {
    with_relay(1 << 20, |mut ends| async move {
        let large = bind("more 100000 bytes", 500_000);
        put(&mut ends.client, &large[..99_999]).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.client, &large[99_999..100_000]).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E', "the rest of the frame is still to come");
        assert!(String::from_utf8_lossy(&body).contains("rule=more"));
        put(&mut ends.client, &[&large[100_000..], &message(b'S', b""), &query("SELECT 1")].concat()).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
        assert_eq!(ends.book.borrow().reserved, 0);
    });
}

#[test]
fn an_opinion_that_wants_more_than_there_is_gets_all_of_it() {
    with_relay(1 << 20, |mut ends| async move {
        put(&mut ends.client, &bind("more 900000 bytes", 200_000)).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        put(&mut ends.client, &[message(b'S', b""), bind("fine", 10)].concat()).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &bind("fine", 10)).await;
    });
}

#[test]
fn values_that_find_no_memory_are_refused_and_the_session_lives() {
    with_relay(1 << 16, |mut ends| async move {
        ends.book.borrow_mut().room = Some(200_000);
        put(&mut ends.client, &[bind("more 900000 bytes", 900_000), message(b'S', b""), query("SELECT 1")].concat())
            .await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E');
        assert!(String::from_utf8_lossy(&body).contains("rule=memory"));
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
        assert_eq!(ends.book.borrow().reserved, 0);
    });
}

#[test]
fn a_text_that_is_longer_than_the_hold_is_judged_by_its_beginning() {
    with_relay(1 << 20, |mut ends| async move {
        let large = query(&format!("refuse this {}", "x".repeat(3 << 20)));
        put(&mut ends.client, &large[..40_000]).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.client, &ready(b'I')).await;
        put(&mut ends.client, &large[40_000..]).await;
        put(&mut ends.client, &query("SELECT 1")).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

/// Messages that name a statement by so many bytes, each as a part of a pipeline.
fn named(long: usize) -> [Vec<u8>; 4] {
    let name = "n".repeat(long);
    let named =
        |code, before: &str, behind: &[u8]| message(code, &[before.as_bytes(), name.as_bytes(), behind].concat());
    [named(b'P', "", b"\0SELECT 1\0\0\0"), named(b'B', "\0", &[0; 7]), named(b'D', "S", b"\0"), named(b'C', "S", b"\0")]
}

async fn expect_too_long(ends: &mut Ends) {
    let (code, body) = receive(&mut ends.client).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(code == b'E' && text.contains("SERROR") && text.contains("C54000"), "{text}");
    assert!(text.contains("too long") && text.contains("10,000 bytes"), "{text}");
}

/// The server takes no message of such a name but Parse and Bind, and says nothing to it.
#[test]
fn names_that_nobody_could_use_are_refused_and_the_session_lives() {
    for frame in named(64_000) {
        with_relay(1 << 17, |mut ends| async move {
            // Of all but a Parse, whose text is wanted, a part is enough to tell; the rest of it goes nowhere.
            let (part, rest) = frame.split_at(if frame[0] == b'P' { frame.len() } else { 25_000 });
            put(&mut ends.client, part).await;
            expect_too_long(&mut ends).await;
            put(&mut ends.client, &[rest, &message(b'S', b""), &query("SELECT 1")].concat()).await;
            expect(&mut ends.client, &ready(b'I')).await;
            expect(&mut ends.server, &query("SELECT 1")).await;
            assert_eq!(ends.book.borrow().reserved, 0);
        });
    }
}

#[test]
fn inside_a_pipeline_the_server_fails_in_place_of_such_a_name() {
    for frame in named(64_000) {
        with_relay(1 << 17, |mut ends| async move {
            put(&mut ends.client, &[parse("", "SELECT 1"), frame, message(b'S', b"")].concat()).await;
            expect(&mut ends.server, &parse("", "SELECT 1")).await;
            let (code, body) = receive(&mut ends.server).await;
            let name = word_of(&body).split('\0').next().unwrap().to_owned();
            assert!(code == b'P' && name.starts_with("floodwall_refused_"), "{name}");
            expect(&mut ends.server, &message(b'S', b"")).await;
            let failed = error("42601", &format!("syntax error at or near \"{name}\""));
            put(&mut ends.server, &[message(b'1', b""), failed, ready(b'I')].concat()).await;
            expect(&mut ends.client, &message(b'1', b"")).await;
            expect_too_long(&mut ends).await;
            expect(&mut ends.client, &ready(b'I')).await;
        });
    }
}

/// A session whose server waits for COPY data.
async fn copying(ends: &mut Ends, begun: &[u8]) {
    put(&mut ends.client, begun).await;
    expect(&mut ends.server, begun).await;
    put(&mut ends.server, &message(b'G', b"\0\0\0")).await;
    assert_eq!(receive(&mut ends.client).await.0, b'G');
}

fn word_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim_end_matches('\0').to_owned()
}

#[test]
fn refused_data_becomes_a_failure_and_the_rest_goes_nowhere_however_it_is_cut() {
    for cut in [1, 3, 7, 100, 5000] {
        with_relay(4096, |mut ends| async move {
            copying(&mut ends, &query("COPY t FROM STDIN")).await;
            let good = message(b'd', b"1\n");
            let data = [good.clone(), message(b'd', &[7; DATA_MAX as usize + 1]), good.repeat(200), message(b'c', b"")]
                .concat();
            for piece in data.chunks(cut) {
                put(&mut ends.client, piece).await;
                tokio::task::yield_now().await;
            }
            expect(&mut ends.server, &good).await;
            let (code, word) = receive(&mut ends.server).await;
            assert_eq!(code, b'f', "the server is told to fail");
            let failed = format!("COPY from stdin failed: {}", word_of(&word));
            put(&mut ends.server, &[error("57014", &failed), ready(b'I')].concat()).await;
            let (code, body) = receive(&mut ends.client).await;
            assert_eq!(code, b'E');
            assert!(String::from_utf8_lossy(&body).contains("FLOODWALL[rule=test]"));
            expect(&mut ends.client, &ready(b'I')).await;
            put(&mut ends.client, &query("SELECT 1")).await;
            expect(&mut ends.server, &query("SELECT 1")).await;
            assert!(ends.book.borrow().failures.is_empty(), "a provoked error is not the server's own");
        });
    }
}

/// A client that reads the error may forget about the end of its data.
#[test]
fn the_next_statement_ends_unwanted_data() {
    with_relay(4096, |mut ends| async move {
        copying(&mut ends, &query("COPY t FROM STDIN")).await;
        put(&mut ends.client, &message(b'd', &[7; DATA_MAX as usize + 1])).await;
        let (_, word) = receive(&mut ends.server).await;
        let failed = format!("COPY from stdin failed: {}", word_of(&word));
        put(&mut ends.server, &[error("57014", &failed), ready(b'I')].concat()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.client, &ready(b'I')).await;
        copying(&mut ends, &query("COPY t FROM STDIN")).await;
        put(&mut ends.client, &message(b'd', b"1\n")).await;
        expect(&mut ends.server, &message(b'd', b"1\n")).await;
    });
}

/// A cancel of the client's own has the same SQLSTATE as a COPY that was broken off.
#[test]
fn a_cancel_by_the_client_keeps_its_own_words() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("SELECT pg_sleep(9)")).await;
        receive(&mut ends.server).await;
        let canceled = error("57014", "canceling statement due to user request");
        put(&mut ends.server, &[canceled.clone(), ready(b'I')].concat()).await;
        expect(&mut ends.client, &canceled).await;
        assert_eq!(ends.book.borrow().failures, ["57014"]);
    });
}

#[test]
fn data_is_shown_to_the_overseer_once_however_it_is_cut() {
    for cut in [4, 5, 6, 50, 1000] {
        with_relay(4096, |mut ends| async move {
            copying(&mut ends, &query("COPY t FROM STDIN")).await;
            let data = message(b'd', &[b'7'; 500]).repeat(3);
            for piece in data.chunks(cut) {
                put(&mut ends.client, piece).await;
                // So that each piece is read alone.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            expect(&mut ends.server, &data).await;
            assert_eq!(ends.book.borrow().shown(), 1500);
        });
    }
}
