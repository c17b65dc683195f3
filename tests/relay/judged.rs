//! What does not pass, and what happens afterwards.

use floodwall::session::end::End;

use crate::support::{Ends, error, expect, expect_nothing, message, parse, put, query, ready, receive, with_relay};

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).replace('\0', " ")
}

#[test]
fn a_refused_query_is_answered_without_the_server_and_the_session_lives() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("refuse this")).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E');
        assert!(text(&body).contains("FLOODWALL[rule=test]"), "{}", text(&body));
        expect(&mut ends.client, &ready(b'I')).await;
        let next = query("SELECT 1");
        put(&mut ends.client, &next).await;
        expect(&mut ends.server, &next).await;
    });
}

#[test]
fn inside_a_transaction_the_server_fails_and_the_client_reads_our_words() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("BEGIN")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, &ready(b'T')).await;
        receive(&mut ends.client).await;
        put(&mut ends.client, &[query("refuse this"), query("COMMIT")].concat()).await;
        let (_, instead) = receive(&mut ends.server).await;
        let word = text(&instead).trim().to_owned();
        assert!(word.starts_with("floodwall_refused_test_"), "{word}");
        expect(&mut ends.server, &query("COMMIT")).await;
        let failed = error("42601", &format!("syntax error at or near \"{word}\""));
        put(&mut ends.server, &[failed, ready(b'E'), message(b'C', b"ROLLBACK\0"), ready(b'I')].concat()).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E');
        assert!(text(&body).contains("FLOODWALL[rule=test]"));
        expect(&mut ends.client, &ready(b'E')).await;
        expect(&mut ends.client, &message(b'C', b"ROLLBACK\0")).await;
        expect(&mut ends.client, &ready(b'I')).await;
        assert!(ends.book.borrow().failures.is_empty(), "a provoked error is not the server's own");
    });
}

#[test]
fn a_refused_parse_at_the_front_of_a_pipeline_drops_the_rest_of_it() {
    with_relay(4096, |mut ends| async move {
        let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
        let next = query("SELECT 1");
        let all =
            [parse("", "refuse this"), bind, message(b'E', b"\0\0\0\0\0"), message(b'S', b""), next.clone()].concat();
        put(&mut ends.client, &all).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &next).await;
    });
}

#[test]
fn a_refused_parse_inside_a_pipeline_fails_at_its_place() {
    with_relay(4096, |mut ends| async move {
        let begun = [parse("", "INSERT"), message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
        put(&mut ends.client, &[begun.clone(), parse("x", "refuse this"), message(b'S', b"")].concat()).await;
        expect(&mut ends.server, &begun).await;
        let (code, body) = receive(&mut ends.server).await;
        assert_eq!(code, b'P');
        assert!(text(&body).starts_with("x floodwall_refused_test_1"), "{}", text(&body));
        expect(&mut ends.server, &message(b'S', b"")).await;
    });
}

#[test]
fn a_refused_bind_fails_as_part_of_its_pipeline() {
    with_relay(4096, |mut ends| async move {
        let begun = [parse("", "INSERT"), message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
        let refused = message(b'B', b"\0refuse\0\0\0\0\0\0\0");
        put(&mut ends.client, &[begun.clone(), refused, message(b'S', b"")].concat()).await;
        expect(&mut ends.server, &begun).await;
        let (code, body) = receive(&mut ends.server).await;
        assert_eq!(code, b'P', "a Query would end the pipeline early");
        assert!(!text(&body).starts_with(' '), "the unnamed statement must stay: {}", text(&body));
        expect(&mut ends.server, &message(b'S', b"")).await;
    });
}

#[test]
fn a_bind_refused_at_rest_drops_its_pipeline() {
    with_relay(4096, |mut ends| async move {
        let refused = message(b'B', b"\0refuse\0\0\0\0\0\0\0");
        let next = query("SELECT 1");
        put(&mut ends.client, &[refused, message(b'E', b"\0\0\0\0\0"), message(b'S', b""), next.clone()].concat())
            .await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &next).await;
    });
}

#[test]
fn an_opinion_that_takes_time_keeps_the_order_of_the_stream() {
    with_relay(4096, |mut ends| async move {
        let (before, after) = (query("SELECT 1"), query("SELECT 2"));
        put(&mut ends.client, &[before.clone(), query("wait for it"), after.clone()].concat()).await;
        expect(&mut ends.server, &before).await;
        let (code, body) = receive(&mut ends.server).await;
        assert_eq!(code, b'Q');
        assert!(text(&body).contains("floodwall_refused_late_1"));
        expect(&mut ends.server, &after).await;
    });
}

#[test]
fn a_warning_is_told_and_the_statement_runs() {
    with_relay(4096, |mut ends| async move {
        let asked = query("warn me");
        put(&mut ends.client, &asked).await;
        expect(&mut ends.server, &asked).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'N');
        assert!(text(&body).contains("WARNING"));
    });
}

#[test]
fn a_statement_that_finds_no_memory_is_refused_and_its_rest_is_dropped() {
    with_relay(1 << 16, |mut ends| async move {
        ends.book.borrow_mut().room = Some(200_000);
        let large = query(&"x".repeat(900_000));
        let next = query("SELECT 1");
        put(&mut ends.client, &[large, next.clone()].concat()).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E');
        assert!(text(&body).contains("rule=memory"), "{}", text(&body));
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &next).await;
        assert_eq!(ends.book.borrow().reserved, 0);
    });
}

#[test]
fn a_client_that_asks_and_never_reads_is_not_read_forever() {
    with_relay(1 << 16, |mut ends| async move {
        let storm = query("refuse this").repeat(1000);
        let flood = async {
            for _ in 0..1000 {
                tokio::io::AsyncWriteExt::write_all(&mut ends.client, &storm).await.unwrap();
            }
        };
        let stopped = tokio::time::timeout(std::time::Duration::from_secs(5), flood).await;
        assert!(stopped.is_err(), "everything was read");
        assert!(ends.book.borrow().moved["from client"] < 4 << 20);
        ends.book.borrow_mut().end = Some(End::Killed);
        drop(ends.client);
        ends.relay.await.unwrap();
    });
}

#[test]
fn nothing_of_a_refused_pipeline_reaches_the_server_however_it_is_cut() {
    let all =
        [parse("", "refuse this"), message(b'B', &[0; 300]), message(b'd', &[1; 300]), message(b'S', b""), query("ok")]
            .concat();
    for size in [1, 2, 3, 5, 7, 64, 333] {
        let all = all.clone();
        with_relay(4096, |mut ends| async move {
            for piece in all.chunks(size) {
                put(&mut ends.client, piece).await;
                tokio::task::yield_now().await;
            }
            expect(&mut ends.server, &query("ok")).await;
            expect_nothing(&mut ends.server).await;
        });
    }
}

#[test]
fn a_goodbye_behind_a_refused_pipeline_is_one() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[parse("", "refuse this"), message(b'X', b"")].concat()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'E');
        expect(&mut ends.server, &message(b'X', b"")).await;
        assert_eq!(ends.relay.await.unwrap().end, End::ClientQuit);
    });
}

#[test]
fn answers_of_our_own_do_not_pile_up() {
    with_relay(1 << 16, |mut ends| async move {
        let storm = query("refuse").repeat(5000);
        put(&mut ends.client, &storm).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        ends.book.borrow_mut().end = Some(End::Killed);
        receive(&mut ends.client).await;
        let remains = ends.relay.await.unwrap();
        assert!(remains.last_words.len() < 330 * 1024, "{} bytes wait", remains.last_words.len());
    });
}

#[test]
fn every_answer_comes_once_room_is_made() {
    with_relay(1 << 16, |mut ends| async move {
        let storm = query("refuse").repeat(5000);
        put(&mut ends.client, &[storm, query("SELECT 1")].concat()).await;
        for _ in 0..5000 {
            assert_eq!(receive(&mut ends.client).await.0, b'E');
            expect(&mut ends.client, &ready(b'I')).await;
        }
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

#[test]
fn a_large_statement_is_charged_until_the_server_has_taken_it() {
    with_relay(1 << 16, |mut ends| async move {
        let large = query(&"x".repeat(900_000));
        let (half, next) = (b"Q\0".to_vec(), query("SELECT 1"));
        put(&mut ends.client, &[large.clone(), half].concat()).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let charged = ends.book.borrow().reserved;
        assert!(charged > 700_000, "only {charged} bytes are charged");
        expect(&mut ends.server, &large).await;
        put(&mut ends.client, &next[2..]).await;
        expect(&mut ends.server, &next).await;
        assert_eq!(ends.book.borrow().reserved, 0);
    });
}

#[test]
fn a_large_text_is_lent_whole_and_passes_as_received() {
    with_relay(1 << 16, |mut ends| async move {
        let large = query(&format!("lend {}", "x".repeat(900_000)));
        let next = query("SELECT 1");
        let sent = [large.clone(), next.clone()].concat();
        let Ends { client, server, .. } = &mut ends;
        tokio::join!(put(client, &sent), expect(server, &sent));
        let book = ends.book.borrow();
        // The text with the NUL that ends it, which nobody has looked for.
        assert_eq!(book.lent_bytes, [large.len() - 5]);
        assert!(book.lent.is_none());
        assert_eq!(book.reserved, 0);
        // Never more than the frame and one read was asked for.
        assert!(book.reserved_most <= large.len() + (64 << 10), "{}", book.reserved_most);
    });
}

#[test]
fn a_frame_that_announces_more_than_there_is_room_for_is_refused_at_its_head() {
    with_relay(1 << 16, |mut ends| async move {
        ends.book.borrow_mut().room = Some(200_000);
        let large = query(&format!("lend {}", "x".repeat(900_000)));
        put(&mut ends.client, &large[..100]).await;
        let (code, body) = receive(&mut ends.client).await;
        assert_eq!(code, b'E');
        assert!(text(&body).contains("rule=memory"), "{}", text(&body));
        expect(&mut ends.client, &ready(b'I')).await;
        let next = query("SELECT 1");
        put(&mut ends.client, &[&large[100..], &next].concat()).await;
        expect(&mut ends.server, &next).await;
        assert_eq!((ends.book.borrow().reserved, ends.book.borrow().withdrawn), (0, 1));
    });
}
