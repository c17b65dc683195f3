//! What passes, passes as it came.

use floodwall::session::end::End;
use floodwall::session::overseer::Owes;
use floodwall::wire::{Malformed, Setting, Transaction};
use tokio::io::{AsyncReadExt, DuplexStream};

use crate::support::{Ends, error, expect, expect_nothing, message, parse, put, query, ready, receive, with_relay};

#[test]
fn a_query_and_its_reply_pass_unchanged() {
    with_relay(4096, |mut ends| async move {
        let asked = query("SELECT 1");
        put(&mut ends.client, &asked).await;
        expect(&mut ends.server, &asked).await;
        let reply =
            [message(b'T', b"\0\0"), message(b'D', b"\0\0"), message(b'C', b"SELECT 1\0"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        let book = ends.book.borrow();
        assert_eq!(book.boundaries, [(Transaction::None, Owes::Nothing)]);
        assert_eq!(book.moved["from client"], asked.len());
        assert_eq!(book.moved["to server"], asked.len());
        assert_eq!(book.moved["from server"], reply.len());
        assert_eq!(book.moved["to client"], reply.len());
    });
}

#[test]
fn every_cut_of_the_stream_gives_the_same_bytes() {
    let asked =
        [parse("s", "SELECT 1"), message(b'B', b"\0s\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")]
            .concat();
    let reply =
        [message(b'1', b""), message(b'2', b""), message(b'D', &[7; 40]), message(b'C', b"x\0"), ready(b'T')].concat();
    for size in 1..asked.len().max(reply.len()) {
        let (asked, reply) = (asked.clone(), reply.clone());
        with_relay(4096, |mut ends| async move {
            for piece in asked.chunks(size) {
                put(&mut ends.client, piece).await;
                tokio::task::yield_now().await;
            }
            expect(&mut ends.server, &asked).await;
            for piece in reply.chunks(size) {
                put(&mut ends.server, piece).await;
                tokio::task::yield_now().await;
            }
            expect(&mut ends.client, &reply).await;
        });
    }
}

#[test]
fn tiny_pipes_and_large_messages_stream_through() {
    with_relay(7, |ends| async move {
        let Ends { client, server, book, .. } = ends;
        let rows: Vec<u8> = (0..50).flat_map(|at| message(b'D', &vec![at; 5000])).chain(ready(b'I')).collect();
        let data: Vec<u8> = query("COPY t FROM STDIN")
            .into_iter()
            .chain((0..50).flat_map(|at| message(b'd', &vec![at; 3000])))
            .collect();
        let (mut client_out, mut client_in) = (tokio::io::split(client).1, Vec::<u8>::new());
        let _ = (&mut client_out, &mut client_in);
        let (expected_rows, expected_data) = (rows.clone(), data.clone());
        let (mut server_read, mut server_write) = tokio::io::split(server);
        let up = async {
            tokio::io::AsyncWriteExt::write_all(&mut client_out, &data).await.unwrap();
        };
        let down = async {
            tokio::io::AsyncWriteExt::write_all(&mut server_write, &rows).await.unwrap();
        };
        let at_server = async {
            let mut got = vec![0; expected_data.len()];
            server_read.read_exact(&mut got).await.unwrap();
            assert_eq!(got, expected_data);
        };
        // The client reads nothing: the rows wait at the server's end and must not hold up the data.
        tokio::select! {
            ((), ()) = async { tokio::join!(up, at_server) } => {}
            () = down => panic!("rows went nowhere, yet all were taken"),
        }
        assert!(book.borrow().moved["from server"] < expected_rows.len());
    });
}

#[test]
fn a_malformed_message_is_answered_and_ends_the_session() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, b"Q\0\0\0\x01").await;
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientMalformed(Malformed::Length));
        assert_eq!(remains.last_words[0], b'E');
        assert!(!remains.working);
    });
}

#[test]
fn a_server_that_closes_is_announced_with_a_fatal() {
    with_relay(4096, |Ends { client, server, relay, .. }| async move {
        drop(server);
        let remains = relay.await.unwrap();
        drop(client);
        assert_eq!(remains.end, End::ServerGone);
        assert!(remains.last_words.windows(5).any(|part| part == b"08006"));
    });
}

#[test]
fn a_server_that_said_why_is_not_spoken_for() {
    with_relay(4096, |mut ends| async move {
        let why = message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0");
        put(&mut ends.server, &why).await;
        expect(&mut ends.client, &why).await;
        drop(ends.server);
        let remains = ends.relay.await.unwrap();
        assert!(remains.last_words.is_empty());
    });
}

#[test]
fn a_server_that_dies_inside_a_message_leaves_no_second_one_in_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("SELECT 1")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, b"D\0\0\0\x64only half").await;
        drop(ends.server);
        let remains = ends.relay.await.unwrap();
        assert!(remains.last_words.is_empty());
    });
}

#[test]
fn a_client_that_leaves_while_a_statement_runs_leaves_work_behind() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("SELECT pg_sleep(100)")).await;
        receive(&mut ends.server).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.working);
    });
}

#[test]
fn a_goodbye_reaches_the_server_behind_what_came_before() {
    with_relay(4096, |mut ends| async move {
        let all = [query("INSERT INTO t VALUES (1)"), message(b'X', b"")].concat();
        put(&mut ends.client, &all).await;
        expect(&mut ends.server, &all).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientQuit);
        assert!(!remains.working, "what came before a goodbye is carried out, not canceled");
    });
}

#[test]
fn drain_waits_for_the_end_of_the_transaction() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("BEGIN")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, &ready(b'T')).await;
        receive(&mut ends.client).await;
        ends.book.borrow_mut().end = Some(End::Drained);
        put(&mut ends.client, &query("COMMIT")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, &ready(b'I')).await;
        receive(&mut ends.client).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::Drained);
        assert!(remains.last_words.windows(5).any(|part| part == b"57P01"));
    });
}

#[test]
fn a_paused_session_finishes_its_transaction_and_then_waits() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("BEGIN")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, &ready(b'T')).await;
        receive(&mut ends.client).await;
        ends.book.borrow_mut().paused = true;
        put(&mut ends.client, &query("COMMIT")).await;
        receive(&mut ends.server).await;
        put(&mut ends.server, &ready(b'I')).await;
        receive(&mut ends.client).await;
        put(&mut ends.client, &query("SELECT 1")).await;
        expect_nothing(&mut ends.server).await;
    });
}

#[test]
fn settings_that_change_how_sql_is_read_are_noticed() {
    with_relay(4096, |mut ends| async move {
        let status = message(b'S', b"standard_conforming_strings\0off\0");
        put(&mut ends.server, &status).await;
        expect(&mut ends.client, &status).await;
        assert_eq!(ends.book.borrow().settings, [Setting::EscapedStrings]);
    });
}

/// As PostgreSQL does from version 18 on.
#[test]
fn a_search_path_that_the_server_reports_is_noticed() {
    with_relay(16_384, |mut ends| async move {
        let status = |path: &[u8]| message(b'S', &[b"search_path\0", path, b"\0"].concat());
        let sent = [status(b"small, public"), status(b"sm\xe4ll"), status(&[b'a'; 5000])].concat();
        put(&mut ends.server, &sent).await;
        expect_bytes(&mut ends.client, &sent).await;
        let expected = [Setting::Path("small, public".into()), Setting::OwnPath, Setting::OwnPath];
        assert_eq!(ends.book.borrow().settings, expected);
    });
}

async fn expect_bytes(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, bytes);
}

#[test]
fn errors_of_the_server_pass_and_are_counted() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("SELECT 1/0")).await;
        receive(&mut ends.server).await;
        let reply = [error("22012", "division by zero"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        assert_eq!(ends.book.borrow().failures, ["22012"]);
    });
}
