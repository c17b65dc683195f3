//! Servers that are lost under their clients.

use super::*;

/// What a server says that is shut down, or an operator has ended.
fn shutdown() -> Vec<u8> {
    message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0")
}

/// A statement, and a pipeline with its Sync and without.
fn asked(how: &str) -> Vec<u8> {
    let run = [parse("", "SELECT 1"), message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
    match how {
        "query" => query("SELECT 1"),
        "pipeline" => [run, sync()].concat(),
        _ => [run, flush()].concat(),
    }
}

#[test]
fn a_server_that_is_lost_under_one_statement_costs_its_client_that_statement() {
    for how in ["query", "pipeline", "open pipeline"] {
        for (said, sqlstate) in [(Vec::new(), "08006"), (shutdown(), "57P01")] {
            with_shelf(|mut scene| async move {
                scene.ask(&asked(how)).await;
                // What describes a result is none.
                scene.answer(&message(b'T', b"\0\0")).await;
                put(&mut scene.server, &said).await;
                scene.replace().await;
                let (code, body) = receive(&mut scene.client).await;
                let text = String::from_utf8_lossy(&body).into_owned();
                assert!(code == b'E' && text.contains("SERROR") && text.contains("FLOODWALL[rule=server]"), "{text}");
                assert!(text.contains(&format!("C{sqlstate}")), "{how}: {text}");
                if how == "open pipeline" {
                    expect_nothing(&mut scene.client).await;
                    // What it still sends of it goes nowhere.
                    put(&mut scene.client, &[parse("", "SELECT 2"), sync()].concat()).await;
                }
                expect(&mut scene.client, &ready(b'I')).await;
                expect_nothing(&mut scene.server).await;
                assert_eq!((scene.stock.borrow().lost, scene.given_back()), (1, 0));
                assert_eq!(scene.book.borrow().boundaries, [(Transaction::None, Owes::Nothing)]);
                assert_eq!(scene.book.borrow().failures, [sqlstate]);
                scene.expect_usable().await;
                // And again.
                scene.ask(&query("SELECT 1")).await;
                scene.replace().await;
                scene.expect_refused("server").await;
                expect(&mut scene.client, &ready(b'I')).await;
                scene.expect_usable().await;
            });
        }
    }
}

#[test]
fn half_a_statement_that_a_lost_server_had_goes_nowhere() {
    with_shelf(|mut scene| async move {
        // One that streams through, once its beginning is at hand.
        let call = message(b'F', &[7; 3000]);
        let (head, tail) = call.split_at(2000);
        scene.ask(head).await;
        scene.replace().await;
        scene.expect_refused("server").await;
        expect(&mut scene.client, &ready(b'I')).await;
        put(&mut scene.client, tail).await;
        expect_nothing(&mut scene.server).await;
        scene.expect_usable().await;
    });
}

#[test]
fn a_session_ends_with_its_server_where_more_than_one_statement_is_lost() {
    for what in ["transaction", "pinned", "answered", "two", "behind", "copy", "half a reply", "another end"] {
        with_shelf(|mut scene| async move {
            scene.stock.borrow_mut().pinned = what == "pinned";
            if what == "transaction" {
                scene.ask(&query("BEGIN")).await;
                scene.answer(&[done("BEGIN"), ready(b'T')].concat()).await;
            }
            match what {
                "two" => scene.ask(&[query("SELECT 1"), query("SELECT 2")].concat()).await,
                "behind" => {
                    let half = &query("SELECT 2")[..6];
                    put(&mut scene.client, &[&query("SELECT 1"), half].concat()).await;
                    expect(&mut scene.server, &query("SELECT 1")).await;
                }
                _ => scene.ask(&query("SELECT 1")).await,
            }
            match what {
                "answered" => scene.answer(&done("SELECT 1")).await,
                "copy" => scene.answer(&message(b'G', b"\0\0\0")).await,
                "half a reply" => scene.answer(&row()[..8]).await,
                "another end" => put(&mut scene.server, &message(b'E', b"SFATAL\0VFATAL\0C08P01\0Mno\0\0")).await,
                _ => {}
            }
            scene.replace().await;
            let remains = scene.relay.await.unwrap();
            assert_eq!(remains.end, End::ServerGone, "{what}");
            assert_eq!(scene.stock.borrow().lost, 0, "{what}");
        });
    }
}
