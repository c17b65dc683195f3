//! Bytes that no client sends, and clients that only hold on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Steer, eventually, users};

fn dial(steer: &Steer) -> TcpStream {
    let stream = TcpStream::connect(steer.console).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn startup(parameters: &[(&str, &str)], version: u32) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut packet = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    packet.append(&mut body);
    packet
}

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![code];
    packet.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    packet.extend_from_slice(body);
    packet
}

/// All that is answered until the connection ends.
fn answer(steer: &Steer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = dial(steer);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// It still serves.
fn alive(steer: &Steer) {
    let output = steer.psql("sre", "admin secret", "SHOW VERSION");
    assert!(output.ok, "{}", output.err);
}

#[test]
fn lengths_are_checked_before_anything_is_read() {
    let steer = Steer::start(&users());
    for length in [0u32, 3, 10_001, 0x7fff_ffff, 0xffff_ffff] {
        let mut packet = length.to_be_bytes().to_vec();
        packet.extend_from_slice(&[0, 3, 0, 0, 0]);
        assert!(holds(&answer(&steer, &packet), "08P01"), "{length}");
    }
    let mut large = startup(&[("user", "sre")], 196_608);
    large.extend_from_slice(b"p\x7f\xff\xff\xff");
    assert!(holds(&answer(&steer, &large), "08P01"));
    alive(&steer);
}

#[test]
fn short_and_odd_login_messages_are_refused() {
    let steer = Steer::start(&users());
    let bodies: [&[u8]; 9] = [
        b"",
        b"\0",
        b"SCRAM-SHA-256",
        b"SCRAM-SHA-256\0",
        b"SCRAM-SHA-256\0\0\0",
        b"SCRAM-SHA-256\0\x7f\xff\xff\xff",
        b"SCRAM-SHA-256\0\xff\xff\xff\xff",
        b"SCRAM-SHA-256\0\0\0\0\x03\xff\xfe\xfd",
        b"SCRAM-SHA-256-PLUS\0\0\0\0\x03n,,",
    ];
    for body in bodies {
        let mut bytes = startup(&[("user", "sre")], 196_608);
        bytes.extend_from_slice(&frame(b'p', body));
        let answered = answer(&steer, &bytes);
        assert!(holds(&answered, "FATAL"), "{body:?}: {answered:?}");
    }
    let mut query = startup(&[("user", "sre")], 196_608);
    query.extend_from_slice(&frame(b'Q', b"SHOW CLIENTS\0"));
    assert!(holds(&answer(&steer, &query), "unexpected message during login"));
    assert!(holds(&answer(&steer, &startup(&[], 196_608)), "28000"));
    assert!(holds(&answer(&steer, &startup(&[("user", "x")], 131_072)), "08P01"));
    alive(&steer);
}

#[test]
fn the_newest_version_is_negotiated_down() {
    let steer = Steer::start(&users());
    let answered = answer(&steer, &startup(&[("user", "sre"), ("_pq_.magic", "on")], 196_608 + 9999));
    assert_eq!(answered.first(), Some(&b'v'), "{answered:?}");
    assert!(holds(&answered, "_pq_.magic") && holds(&answered, "SCRAM-SHA-256"));
}

#[test]
fn encryption_is_declined_and_cancel_is_quiet() {
    let steer = Steer::start(&users());
    let ssl = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    let gss = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];
    assert_eq!(answer(&steer, &[ssl, gss].concat()), b"NN");
    assert!(holds(&answer(&steer, &ssl.repeat(5)), "too many encryption requests"));
    let cancel = [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2];
    assert!(answer(&steer, &cancel).is_empty());
}

/// Over the Unix socket there is no password, so a session can be reached by hand.
fn session(steer: &Steer, frames: &[u8]) -> Vec<u8> {
    let mut stream = std::os::unix::net::UnixStream::connect(steer.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&startup(&[("user", "sre")], 196_608)).unwrap();
    let _ = stream.write_all(frames);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn a_frame_never_reaches_into_the_next() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    let smuggled = frame(b'Q', &[b"SHOW CAPS\0".as_slice(), &frame(b'Q', b"KILL CLIENT 1\0")].concat());
    assert!(holds(&session(&steer, &smuggled), "does not fill its length"));
    assert_eq!(seat.signalled(), floodwall::roster::Signal::None);
    assert!(holds(&session(&steer, &frame(b'F', b"\0\0\0\0")), "FATAL"));
    alive(&steer);
}

#[test]
fn bodies_that_make_the_decoder_panic_end_one_connection() {
    let steer = Steer::start(&users());
    for code in *b"BCDEPdp" {
        for length in 0..6 {
            session(&steer, &frame(code, &vec![0xff; length]));
        }
    }
    alive(&steer);
}

#[test]
fn after_an_error_everything_is_skipped_until_sync() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    let frames = [
        frame(b'P', b"\0SHOW NOTHING\0\0\0"),
        frame(b'P', b"\0KILL CLIENT 1\0\0\0"),
        frame(b'B', b"\0\0\0\0\0\0\0\0"),
        frame(b'E', b"\0\0\0\0\0"),
        frame(b'S', b""),
        frame(b'Q', b"SHOW CAPS\0"),
    ];
    let answered = session(&steer, &frames.concat());
    assert!(holds(&answered, "42601") && holds(&answered, "max_connections"));
    assert_eq!(seat.signalled(), floodwall::roster::Signal::None);
}

#[test]
fn rows_come_in_parts_where_they_are_asked_for_so() {
    let steer = Steer::start(&users());
    let _seats: Vec<_> = (0..3).map(|n| steer.join(&format!("user{n}"))).collect();
    let frames = [
        frame(b'P', b"\0SHOW CLIENTS\0\0\0"),
        frame(b'B', b"\0\0\0\0\0\0\0\0"),
        frame(b'E', b"\0\0\0\0\x02"),
        frame(b'E', b"\0\0\0\0\x02"),
        frame(b'S', b""),
    ];
    let answered = session(&steer, &frames.concat());
    let suspended = answered.windows(5).position(|window| window == b"s\0\0\0\x04").unwrap();
    assert!(holds(&answered[..suspended], "user1") && !holds(&answered[..suspended], "user2"));
    assert!(holds(&answered[suspended..], "user2") && holds(&answered[suspended..], "SHOW\0"));
}

#[test]
fn holding_every_place_locks_nobody_out_for_long() {
    let steer = Steer::start(&users());
    let held: Vec<_> = (0..16).map(|_| dial(&steer)).collect();
    eventually("full", || answer(&steer, &startup(&[("user", "sre")], 196_608)).is_empty());
    // The socket keeps its own places.
    assert!(steer.psql_unix("SHOW VERSION").ok);
    let start = Instant::now();
    let mut first = &held[0];
    let mut rest = Vec::new();
    let _ = first.read_to_end(&mut rest);
    assert!(holds(&rest, "timeout") && start.elapsed() < Duration::from_secs(40));
    eventually("free", || steer.psql("sre", "admin secret", "SHOW VERSION").ok);
}

#[test]
fn random_bytes_harm_nobody() {
    let steer = Steer::start(&users());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    let mut frames = Vec::new();
    for _ in 0..200 {
        let body: Vec<u8> = (0..byte() % 24).map(|_| byte()).collect();
        let code = b"QPBDECSHdcfpFX"[usize::from(byte() % 14)];
        frames.push(frame(code, &body));
    }
    frames.chunks(4).for_each(|chunk| drop(session(&steer, &chunk.concat())));
    alive(&steer);
}
