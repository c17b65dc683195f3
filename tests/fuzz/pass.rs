//! The whole relay between two ends that send anything.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};

use crate::seed::{Dice, fuzz};
use crate::support::{Book, Ends, error, message, parse, query, ready, with_relay};

/// What the relay may hold in one direction: a frame that is judged, one read, and what its own answers add.
const HELD_MAX: usize = (1 << 20) + 4 * 64 * 1024;

/// What passes, passes as it came: all of it, in order, and without being gathered.
#[test]
fn pass() {
    fuzz("pass", |dice| {
        let asked: Vec<u8> = (0..dice.below(20)).flat_map(|_| from_client(dice)).collect();
        let said: Vec<u8> = (0..dice.below(20)).flat_map(|_| from_server(dice)).collect();
        let pipe = 1 + dice.size(100_000);
        let (mut up, mut down) = (dice.clone(), dice.clone());
        with_relay(pipe, |ends| async move {
            let Ends { client, server, book, .. } = ends;
            let (client_in, client_out) = split(client);
            let (server_in, server_out) = split(server);
            let (at_server, at_client, (), ()) = tokio::join!(
                take(server_in, asked.len()),
                take(client_in, said.len()),
                put(client_out, &asked, &mut up, &book),
                put(server_out, &said, &mut down, &book),
            );
            assert!(at_server == asked, "to the server: {} of {} bytes", at_server.len(), asked.len());
            assert!(at_client == said, "to the client: {} of {} bytes", at_client.len(), said.len());
        });
    });
}

/// Whatever the two ends send, the relay neither panics nor hangs, and it ends when they do.
#[test]
fn garbage() {
    fuzz("garbage", |dice| {
        let mut asked: Vec<u8> = (0..dice.below(8)).flat_map(|_| from_client(dice)).collect();
        let mut said: Vec<u8> = (0..dice.below(8)).flat_map(|_| from_server(dice)).collect();
        if dice.once_in(2) {
            let refused = *dice.one(&["refuse this", "wait for it", "warn me"]);
            asked.extend(if dice.once_in(2) { query(refused) } else { parse("x", refused) });
            asked.extend((0..dice.below(4)).flat_map(|_| from_client(dice)).collect::<Vec<_>>());
        }
        dice.spoil(&mut asked);
        dice.spoil(&mut said);
        asked.extend(dice.bytes(20));
        let pipe = 1 + dice.size(10_000);
        let room = dice.once_in(4).then(|| dice.below(200_000));
        let (mut up, mut down) = (dice.clone(), dice.clone());
        with_relay(pipe, |ends| async move {
            let Ends { client, server, book, relay } = ends;
            book.borrow_mut().room = room;
            let (client_in, client_out) = split(client);
            let (server_in, server_out) = split(server);
            tokio::join!(
                take(server_in, usize::MAX),
                take(client_in, usize::MAX),
                put(client_out, &asked, &mut up, &book),
                put(server_out, &said, &mut down, &book),
            );
            // Both pipes are closed now, at the latest.
            let remains = relay.await.expect("the relay panicked");
            assert!(remains.last_words.len() < HELD_MAX, "{} bytes are left", remains.last_words.len());
        });
    });
}

fn from_client(dice: &mut Dice) -> Vec<u8> {
    let size = dice.size(200_000);
    match dice.below(7) {
        0 => query(&"x".repeat(size)),
        1 => parse(&"n".repeat(dice.size(60)), &"x".repeat(size)),
        2 => message(b'B', &vec![0; size]),
        3 => message(b'C', b"Sname\0"),
        4 => message(b'd', &vec![7; size]),
        _ => message(*dice.one(b"SHDEcf"), &vec![1; dice.below(100)]),
    }
}

fn from_server(dice: &mut Dice) -> Vec<u8> {
    let size = dice.size(200_000);
    match dice.below(6) {
        0 => ready(*dice.one(b"ITEx")),
        1 => error("42601", &"e".repeat(size)),
        2 => message(b'S', b"client_encoding\0UTF8\0"),
        3 => message(*dice.one(b"GWH"), b"\0\0\0"),
        _ => message(*dice.one(b"DTCN1234A?"), &vec![1; size]),
    }
}

/// Writes in random cuts and looks at what the relay holds meanwhile. Closes its half at the end, or once nobody reads.
async fn put(mut stream: WriteHalf<DuplexStream>, mut bytes: &[u8], dice: &mut Dice, book: &Rc<RefCell<Book>>) {
    while !bytes.is_empty() {
        let cut = 1 + dice.below(bytes.len());
        // Nobody may read any more at the far end.
        let written = tokio::time::timeout(Duration::from_secs(8), stream.write_all(&bytes[..cut])).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
        bytes = &bytes[cut..];
        if dice.once_in(3) {
            tokio::task::yield_now().await;
        }
        for (read, written) in [("from client", "to server"), ("from server", "to client")] {
            let book = book.borrow();
            let moved = |way| book.moved.get(way).copied().unwrap_or_default();
            let held = moved(read).saturating_sub(moved(written));
            assert!(held < HELD_MAX || book.room.is_some(), "{held} bytes held {read}");
        }
    }
    // Long enough for all that can move to have moved.
    tokio::time::sleep(Duration::from_secs(10)).await;
    drop(stream.shutdown().await);
}

/// Reads until so many bytes are there, the stream ends or nothing comes any more.
async fn take(mut stream: ReadHalf<DuplexStream>, most: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    let patience = Duration::from_secs(5);
    while got.len() < most {
        match tokio::time::timeout(patience, stream.read(&mut piece)).await {
            Ok(Ok(count)) if count > 0 => got.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    got
}
