//! Clients that wait for a server.

use super::*;

#[test]
fn who_waits_is_served_when_a_server_comes() {
    with_shelf(|mut scene| async move {
        let server = scene.lend_away();
        put(&mut scene.client, &query("SELECT 1")).await;
        expect_nothing(&mut scene.client).await;
        assert!(scene.stock.borrow().waiting);
        scene.bring_back(server);
        expect(&mut scene.server, &query("SELECT 1")).await;
        scene.answer(&[done("SELECT 1"), ready(b'I')].concat()).await;
        scene.expect_usable().await;
    });
}

#[test]
fn who_waits_in_vain_is_told_and_its_session_lives() {
    with_shelf(|mut scene| async move {
        for pipelined in [false, true] {
            let server = scene.lend_away();
            let wanted = if pipelined { [parse("", "SELECT 1"), flush(), sync()].concat() } else { query("SELECT 1") };
            put(&mut scene.client, &wanted).await;
            expect_nothing(&mut scene.client).await;
            scene.stock.borrow_mut().refusal = Some(refusal("query_wait_timeout"));
            scene.stock.borrow_mut().wake();
            scene.expect_refused("query_wait_timeout").await;
            expect(&mut scene.client, &ready(b'I')).await;
            scene.bring_back(server);
            scene.expect_usable().await;
        }
    });
}

#[test]
fn a_client_that_leaves_while_it_waits_is_noticed() {
    with_shelf(|mut scene| async move {
        let _server = scene.lend_away();
        put(&mut scene.client, &query("SELECT 1")).await;
        expect_nothing(&mut scene.client).await;
        drop(scene.client);
        let remains = scene.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.server.server.is_none() && !remains.working);
    });
}

#[test]
fn a_goodbye_is_not_the_servers() {
    with_shelf(|mut scene| async move {
        scene.ask(&query("BEGIN")).await;
        scene.answer(&[done("BEGIN"), ready(b'T')].concat()).await;
        put(&mut scene.client, &message(b'X', b"")).await;
        let remains = scene.relay.await.unwrap();
        assert_eq!((remains.end, remains.left), (End::ClientQuit, Left::Transaction));
        let mut server = remains.server.server.expect("it still has its server");
        server.shutdown().await.unwrap();
        // Not a byte of the goodbye came.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut scene.server, &mut rest).await.unwrap();
        assert_eq!(rest, b"");
    });
}

/// What was sent behind the statement moved what went to the server by as many bytes.
#[test]
fn a_goodbye_behind_a_statement_that_waits_leaves_the_statement_whole() {
    with_shelf(|mut scene| async move {
        let elsewhere = scene.lend_away();
        let statement = query("INSERT INTO t VALUES (1)");
        put(&mut scene.client, &[statement.clone(), message(b'X', b""), query("never read")].concat()).await;
        expect_nothing(&mut scene.client).await;
        scene.bring_back(elsewhere);
        expect(&mut scene.server, &statement).await;
        expect_nothing(&mut scene.server).await;
        let remains = scene.relay.await.unwrap();
        assert_eq!((remains.end, remains.left), (End::ClientQuit, Left::Working));
    });
}
