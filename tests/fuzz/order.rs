//! A client that talks through the relay reads what it would read from a server that refuses by itself: the same replies in
//! the same order, whatever is refused, awaited or warned of, and however the streams are cut.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};

use crate::seed::{Dice, fuzz};
use crate::server::{Message, Server};
use crate::support::{Ends, message, parse, query, with_relay};

#[test]
fn order() {
    fuzz("order", |dice| {
        let asked = conversation(dice);
        let mut direct = Server::default();
        let expected: Vec<_> = messages(&asked.iter().flat_map(|one| direct.answer(one)).collect::<Vec<_>>());
        let pipe = 1 + dice.size(4096);
        let mut dice = dice.clone();
        with_relay(pipe, |ends| async move {
            let Ends { client, server, book, .. } = ends;
            let got = talk(client, server, &asked, expected.len(), &mut dice).await;
            let warned = |kind: &str| kind.starts_with("N ");
            let got: Vec<_> = messages(&got).into_iter().filter(|kind| !warned(kind)).collect();
            assert_eq!(got, expected, "{}", story(&asked));
            assert!(!book.borrow().failures.iter().any(|code| code == "42601"), "a provoked error is not the server's");
        });
    });
}

/// Whole and mostly sensible: queries and pipelines, some of which are refused.
fn conversation(dice: &mut Dice) -> Vec<Message> {
    let mut asked = Vec::new();
    for number in 0..1 + dice.below(12) {
        let sql = |dice: &mut Dice| {
            let verb = dice.one(&["select", "select", "begin", "commit", "fail", "refuse", "refuse", "wait", "warn"]);
            if matches!(*verb, "begin" | "commit") { (*verb).to_owned() } else { format!("{verb} {number}") }
        };
        if dice.once_in(2) {
            asked.push(query(&sql(dice)));
            continue;
        }
        for _ in 0..dice.below(4) {
            let name = *dice.one(&["", "a", "b", "refuse"]);
            asked.push(parse(name, &sql(dice)));
            if dice.once_in(4) {
                asked.push(message(b'H', b""));
            }
            asked.push(message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes()));
            asked.push(message(b'E', b"\0\0\0\0\0"));
        }
        asked.push(message(b'S', b""));
    }
    asked.iter().map(|bytes| (bytes[0], bytes[5..].to_vec())).collect()
}

/// Plays both ends until the client has read what it must, and a little longer.
async fn talk(client: DuplexStream, server: DuplexStream, asked: &[Message], count: usize, dice: &mut Dice) -> Vec<u8> {
    let (mut from_relay, mut to_relay) = split(client);
    let bytes: Vec<u8> = asked.iter().flat_map(|(code, body)| message(*code, body)).collect();
    let (mut ours, theirs) = (dice.clone(), dice.clone());
    let asking = async {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let cut = 1 + ours.size(rest.len() - 1);
            to_relay.write_all(&rest[..cut]).await.unwrap();
            rest = &rest[cut..];
            if ours.once_in(3) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let mut got = Vec::new();
    let reading = async {
        let mut piece = vec![0; 512];
        // Nothing may follow either, so it reads on until all is quiet.
        while let Ok(Ok(read)) = tokio::time::timeout(Duration::from_secs(5), from_relay.read(&mut piece)).await {
            got.extend_from_slice(&piece[..read]);
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(asking, reading) } => {}
        () = serve(server, theirs) => {}
    }
    assert!(messages(&got).len() >= count, "only {:?}\nof {}", messages(&got), story(asked));
    got
}

async fn serve(stream: DuplexStream, mut dice: Dice) {
    let mut server = Server::default();
    let (mut from_relay, mut to_relay) = split(stream);
    loop {
        let mut head = [0; 5];
        from_relay.read_exact(&mut head).await.unwrap();
        let mut body = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
        from_relay.read_exact(&mut body).await.unwrap();
        let answer = server.answer(&(head[0], body));
        let mut rest = &answer[..];
        while !rest.is_empty() {
            let cut = 1 + dice.below(rest.len());
            to_relay.write_all(&rest[..cut]).await.unwrap();
            rest = &rest[cut..];
            tokio::task::yield_now().await;
        }
    }
}

/// Each message in a form in which both servers' words are the same.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while bytes.len() >= 5 {
        let end = 1 + u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let body = String::from_utf8_lossy(&bytes[5..end.min(bytes.len())]).into_owned();
        let code = char::from(bytes[0]);
        found.push(match code {
            'E' if body.contains("FLOODWALL") => "E refused".to_owned(),
            _ => format!("{code} {}", body.replace('\0', " ")),
        });
        bytes = &bytes[end.min(bytes.len())..];
    }
    assert!(bytes.is_empty(), "half a message");
    found
}

fn story(asked: &[Message]) -> String {
    let tell =
        |(code, body): &Message| format!("{} {}", char::from(*code), String::from_utf8_lossy(body).replace('\0', " "));
    asked.iter().map(tell).collect::<Vec<_>>().join("\n")
}
