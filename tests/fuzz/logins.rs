//! What a stranger sends before anybody knows who it is: SCRAM messages, verifiers, PROXY headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use floodwall::auth::scram::{ClientExchange, ClientKeys, PLAIN, PLUS, ServerExchange, Verifier};
use floodwall::net::proxy_protocol::{self, Header, SIGNATURE};

use crate::seed::{Dice, fuzz};

/// As PostgreSQL stores one.
const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// Both sides by their own rules, one message of four spoiled: nobody is let in by anything but what was signed.
#[test]
fn scram() {
    let keys = ClientKeys::derive(b"secret", b"salt", 1);
    let others = ClientKeys::derive(b"another", b"salt", 1);
    fuzz("scram", |dice| {
        let verifier = keys.verifier(b"salt", 1);
        let right = !dice.once_in(4);
        let binding = dice.once_in(2).then_some(&b"certificate"[..]);
        let spoilt = dice.below(8);
        let mut passed = |step: usize, message: String| {
            let mut bytes = message.clone().into_bytes();
            if step == spoilt {
                dice.spoil(&mut bytes);
            }
            let changed = bytes != message.into_bytes();
            (bytes, changed)
        };

        let offered = ServerExchange::mechanisms(binding);
        let client = ClientExchange::begin(|name| offered.contains(&name), binding).expect("a mechanism is offered");
        let mechanism = client.mechanism();
        assert_eq!(mechanism, if binding.is_some() { PLUS } else { PLAIN });
        let (first, first_changed) = passed(0, client.first());
        let Ok((server, challenge)) = ServerExchange::begin(mechanism.as_bytes(), &first, binding, verifier) else {
            assert!(first_changed, "the first message is right");
            return;
        };
        let (challenge, challenge_changed) = passed(1, challenge);
        let Ok(challenged) = client.challenge(&challenge) else {
            assert!(first_changed || challenge_changed, "the challenge is right");
            return;
        };
        let (answer, expected) = challenged.answer(if right { &keys } else { &others });
        let (answer, answer_changed) = passed(2, answer);
        let untouched = !first_changed && !challenge_changed && !answer_changed;
        match server.finish(&answer) {
            Ok(accepted) => {
                assert!(right && untouched, "let in by {:?}", String::from_utf8_lossy(&answer));
                let (last, last_changed) = passed(3, accepted.last.clone());
                let believed = expected.verify(&last).is_ok();
                assert!(believed || last_changed);
                assert!(!believed || last.starts_with(accepted.last.as_bytes()), "any server would be believed");
            }
            Err(why) => assert!(!right || !untouched, "turned away: {why}"),
        }
    });
}

/// Any text at all as a verifier, and as any message.
#[test]
fn scram_garbage() {
    fuzz("scram_garbage", |dice| {
        let mut verifier = VERIFIER.as_bytes().to_vec();
        dice.spoil(&mut verifier);
        let verifier = String::from_utf8_lossy(&verifier).into_owned();
        let Some(verifier) = Verifier::parse(&verifier) else { return };
        let message = garbage(dice);
        let binding = dice.once_in(2).then_some(&b"certificate"[..]);
        let mechanism = *dice.one(&[PLAIN, PLUS, "SCRAM-SHA-1", ""]);
        if let Ok((server, _)) = ServerExchange::begin(mechanism.as_bytes(), &message, binding, verifier) {
            assert!(server.finish(&garbage(dice)).is_err(), "nobody guesses a proof");
        }
        let client = ClientExchange::begin(|name| name == PLAIN, None).expect("a mechanism is offered");
        assert!(client.challenge(&garbage(dice)).is_err(), "nobody guesses a nonce");
    });
}

fn garbage(dice: &mut Dice) -> Vec<u8> {
    const PARTS: &[&[u8]] =
        &[b"n,,", b"y,,", b"p=tls-server-end-point,,", b"n=", b"r=", b"c=", b"p=", b"i=", b"s=", b",", b"biws", b"abc"];
    let mut bytes: Vec<u8> = (0..dice.below(8)).flat_map(|_| dice.one(PARTS).to_vec()).collect();
    if dice.once_in(10) {
        bytes.resize(dice.size(4000), b'r');
    }
    dice.spoil(&mut bytes);
    bytes
}

/// A header that is whole says who came and where it ends; cut anywhere it waits, and nothing is read behind it.
#[test]
fn proxy_header() {
    fuzz("proxy_header", |dice| {
        let client = address(dice);
        let mut header = if dice.once_in(2) { binary(dice, client) } else { text(client) };
        let whole = Ok(Some((Header::Client(client), header.len())));
        for cut in 0..header.len() {
            assert_eq!(proxy_protocol::read(&header[..cut]), Ok(None), "{cut} of {}", header.len());
        }
        let length = header.len();
        header.extend(dice.bytes(40));
        assert_eq!(proxy_protocol::read(&header), whole);
        header.truncate(length);
        dice.spoil(&mut header);
        if let Ok(Some((_, size))) = proxy_protocol::read(&header) {
            assert!(size <= header.len());
        }
    });
}

fn address(dice: &mut Dice) -> SocketAddr {
    let bits = u128::from(dice.number()) << 64 | u128::from(dice.number());
    let ip = if dice.once_in(2) {
        IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    };
    SocketAddr::new(ip, dice.number() as u16)
}

fn text(client: SocketAddr) -> Vec<u8> {
    let (family, here) = if client.is_ipv4() { ("TCP4", "192.0.2.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {} {here} {} 5432\r\n", client.ip(), client.port()).into_bytes()
}

/// Version 2, with extensions that nobody has to know.
fn binary(dice: &mut Dice, client: SocketAddr) -> Vec<u8> {
    let (family, from, to) = match client.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec(), vec![192, 0, 2, 1]),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec(), vec![1; 16]),
    };
    let mut body = [from, to, client.port().to_be_bytes().to_vec(), 5432_u16.to_be_bytes().to_vec()].concat();
    for _ in 0..dice.below(4) {
        let value = dice.bytes(30);
        // No checksum: it would have to be right.
        body.push(*dice.one(&[0x01, 0x02, 0x04, 0x05, 0x20, 0xe0]));
        body.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        body.extend(value);
    }
    let length = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
    [&SIGNATURE[..], &[0x21, family], &length, &body].concat()
}
