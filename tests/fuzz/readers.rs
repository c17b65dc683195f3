//! Cutting and reading of single messages: any bytes at all.

use floodwall::wire::pg::{auth, frame, reply, request, startup};
use floodwall::wire::{Head, Needs, Request};

use crate::seed::{Dice, fuzz};
use crate::support::{error, message, parse, query};

const CODES: &[u8] = b"QPBEDCSHXFdcfpZRKTAGWNvI123nst";

#[test]
fn frame() {
    fuzz("frame", |dice| {
        let mut bytes = dice.bytes(12);
        if let Some(first) = bytes.first_mut().filter(|_| !dice.once_in(4)) {
            *first = *dice.one(CODES);
        }
        for cut in [frame::client_head, frame::server_head] {
            let whole = cut(&bytes);
            if let Ok(Some(head)) = whole {
                assert!(bytes.len() >= frame::HEAD && head.size >= frame::HEAD as u64 && head.code == bytes[0]);
                assert!(head.size <= 0x8000_0000);
            }
            for length in frame::HEAD..bytes.len() {
                assert_eq!(cut(&bytes[..length]), whole, "the same head, however much follows");
            }
            for length in 0..frame::HEAD.min(bytes.len()) {
                assert!(!matches!(cut(&bytes[..length]), Ok(Some(_))));
            }
        }
    });
}

#[test]
fn start_up() {
    fuzz("start_up", |dice| {
        let mut body = if dice.once_in(3) { dice.bytes(64) } else { parameters(dice) };
        let version =
            *dice.one(&[0x0003_0000, 0x0003_0002, 0x0003_270f, 0x0002_0000, 80_877_102, 80_877_103, 80_877_104]);
        let mut packet = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
        packet.extend_from_slice(&u32::to_be_bytes(version));
        packet.append(&mut body);
        if dice.once_in(3) {
            dice.spoil(&mut packet);
        }
        let _ = startup::size(&packet);
        match startup::read(&packet) {
            Ok(startup::First::Startup(read)) => {
                assert_eq!(read.packet, packet, "forwarded as received");
                assert!(!read.user.is_empty() && !read.database.is_empty());
                assert_eq!(wanted(&packet[8..], b"user"), Some(&read.user[..]));
            }
            Ok(startup::First::Cancel(cancel)) => {
                assert_eq!(startup::cancel_request(cancel.pid, &cancel.secret)[4..], packet[4..]);
            }
            _ => {}
        }
    });
}

fn parameters(dice: &mut Dice) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..dice.below(5) {
        let name = dice.one(&["user", "database", "application_name", "replication", "options", "_pq_.x", ""]);
        let value = dice.one(&["", "app", "on", "database", "false", "tru", "-c x=1"]);
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    body
}

/// The value that the last parameter of that name has.
fn wanted<'b>(body: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let parts: Vec<_> = body.split(|&byte| byte == 0).collect();
    let end = parts.chunks(2).position(|pair| pair[0].is_empty())?;
    parts.chunks(2).take(end).filter(|pair| pair[0] == name).map(|pair| pair[1]).next_back()
}

#[test]
fn requests() {
    fuzz("requests", |dice| {
        let mut bytes = match dice.below(5) {
            0 => query("SELECT 1"),
            1 => parse("name", "SELECT $1"),
            2 => message(b'B', b"\0name\0\0\0\0\0\0\0"),
            3 => message(b'C', b"Sname\0"),
            _ => message(*dice.one(CODES), &dice.bytes(40)),
        };
        dice.spoil(&mut bytes);
        let Ok(Some(head)) = frame::client_head(&bytes) else { return };
        let held = dice.below(bytes.len() + 1).max(frame::HEAD);
        let hold = dice.below(600) as u64;
        let size = usize::try_from(head.size).unwrap();
        let rest = &bytes[..held.min(size)];
        if let Needs::Prefix(wanted) = request::needs(head, hold)
            && (rest.len() as u64) < wanted.min(head.size)
        {
            return;
        }
        match request::request(head, rest) {
            Ok(Request::Run { text }) => check_text(head, rest, text),
            Ok(Request::Prepare { text, .. }) => check_text(head, rest, text),
            _ => {}
        }
    });
}

/// The text is the one that a server would read: up to the first NUL behind the name.
fn check_text(head: Head, frame: &[u8], text: &[u8]) {
    assert!(!text.contains(&0));
    if frame.len() as u64 == head.size {
        assert!(frame.windows(text.len() + 1).any(|window| window[..text.len()] == *text && window[text.len()] == 0));
    }
}

#[test]
fn replies() {
    fuzz("replies", |dice| {
        let mut bytes = match dice.below(4) {
            0 => error("42601", "syntax error at or near \"floodwall_refused_x_1\""),
            1 => message(b'S', b"client_encoding\0UTF8\0"),
            2 => message(b'R', &dice.bytes(12)),
            _ => message(*dice.one(CODES), &dice.bytes(40)),
        };
        dice.spoil(&mut bytes);
        let head = Head { code: bytes.first().copied().unwrap_or_default(), size: bytes.len() as u64 };
        let _ = reply::needs(head);
        let _ = (reply::status(&bytes), reply::failure(&bytes), reply::setting(&bytes));
        assert!(reply::message(&bytes).len() <= bytes.len());
        let _ = auth::authentication(&bytes);
        if let Ok((_, secret)) = auth::backend_key(&bytes) {
            assert!((4..=256).contains(&secret.len()));
        }
    });
}
