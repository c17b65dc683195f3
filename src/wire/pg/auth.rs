//! Authentication messages of a server: as a relay of somebody else's login reads them, and as whoever logs in does.
//!
//! Source: PostgreSQL manual, "Message Formats", "Authentication…".

use super::code::server;
use super::frame::HEAD;
use crate::wire::Malformed;
use crate::wire::reader::Reader;

/// What an Authentication message of the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// The login is accepted.
    Ok,
    /// The client must prove itself now.
    Challenge,
    /// More of an exchange that has begun, which the client answers.
    Continue,
    /// The last word of the server in an exchange; the client answers nothing.
    Final,
}

/// Reads an Authentication message, given from its head on.
///
/// # Errors
/// [`Malformed::Short`] where it has no kind.
pub fn authentication(frame: &[u8]) -> Result<Authentication, Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).ok_or(Malformed::Short)?);
    Ok(match reader.u32()? {
        0 => Authentication::Ok,
        8 | 11 => Authentication::Continue,
        12 => Authentication::Final,
        _ => Authentication::Challenge,
    })
}

/// The mechanisms of an AuthenticationSASL message, without those that bind the login to its TLS channel: for a client whose channel is
/// not the server's. `None` where the message is another one, or offers none of these.
pub fn without_channel_binding(frame: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(frame.get(HEAD..)?);
    if reader.u32().ok()? != SASL {
        return None;
    }
    let mut body = SASL.to_be_bytes().to_vec();
    let mut bound = false;
    loop {
        let mechanism = reader.cstr().ok()?;
        if mechanism.is_empty() {
            break;
        }
        if mechanism.ends_with(b"-PLUS") {
            bound = true;
        } else {
            body.extend_from_slice(mechanism);
            body.push(0);
        }
    }
    body.push(0);
    let size = u32::try_from(body.len()).ok()?.checked_add(4)?;
    bound.then(|| [&[server::AUTHENTICATION][..], &size.to_be_bytes(), &body].concat())
}

/// Does this first message of a SCRAM login say that its client could bind to the channel, but was not offered it (`y` in RFC 5802, 7)?
/// A server that did offer it takes this for somebody in between.
pub fn misses_channel_binding(frame: &[u8]) -> bool {
    let first = || {
        let mut reader = Reader::new(frame.get(HEAD..)?);
        let scram = reader.cstr().ok()?.starts_with(b"SCRAM-");
        reader.i32().ok()?;
        (scram && reader.rest().starts_with(b"y,")).then_some(())
    };
    first().is_some()
}

/// Kind of an AuthenticationSASL message.
const SASL: u32 = 10;
/// What a server wants of whoever logs in, with what it sends along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand<'a> {
    /// Nothing more.
    Ok,
    /// The password as it is.
    Cleartext,
    /// The password's hash, with this salt.
    Md5([u8; 4]),
    /// An exchange by one of these mechanisms, each ended by a NUL.
    Sasl(&'a [u8]),
    /// The next step of that exchange.
    SaslContinue(&'a [u8]),
    /// The last word of the server in that exchange.
    SaslFinal(&'a [u8]),
    /// Kerberos, SSPI and whatever else there is.
    Other(u32),
}

/// Reads an Authentication message in full, given from its head on.
///
/// # Errors
/// A message that ends too early.
pub fn demand(frame: &[u8]) -> Result<Demand<'_>, Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).ok_or(Malformed::Short)?);
    Ok(match reader.u32()? {
        0 => Demand::Ok,
        3 => Demand::Cleartext,
        5 => Demand::Md5(reader.u32()?.to_be_bytes()),
        10 => Demand::Sasl(reader.rest()),
        11 => Demand::SaslContinue(reader.rest()),
        12 => Demand::SaslFinal(reader.rest()),
        other => Demand::Other(other),
    })
}

/// True where that list of mechanisms names `mechanism`.
pub fn offers(mechanisms: &[u8], mechanism: &str) -> bool {
    mechanisms.split(|byte| *byte == 0).any(|name| name == mechanism.as_bytes())
}

/// Reads a BackendKeyData message, given from its head on: process id and secret (4 to 256 bytes).
///
/// # Errors
/// A secret outside those bounds.
pub fn backend_key(frame: &[u8]) -> Result<(i32, &[u8]), Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).ok_or(Malformed::Short)?);
    let pid = reader.i32()?;
    let secret = reader.rest();
    match secret.len() {
        4..=256 => Ok((pid, secret)),
        0..4 => Err(Malformed::Short),
        _ => Err(Malformed::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[code][..], &size, body].concat()
    }

    #[test]
    fn mechanisms_that_bind_are_taken_out() {
        let both = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let one = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
        assert_eq!(without_channel_binding(&both), Some(one.clone()));
        let token = message(b'R', b"\0\0\0\x0aOAUTHBEARER\0\0");
        for other in
            [one, token, message(b'R', b"\0\0\0\0"), message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS"), message(b'R', b"")]
        {
            assert_eq!(without_channel_binding(&other), None);
        }
    }

    #[test]
    fn only_a_first_message_that_says_so_misses_the_binding() {
        assert!(misses_channel_binding(&message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0ay,,n=,r=abcd")));
        for other in [&b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=abcd"[..], b"c=eSws,r=y,p=y", b"secret\0", b""] {
            assert!(!misses_channel_binding(&message(b'p', other)));
        }
    }
}
