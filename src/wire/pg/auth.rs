//! Authentication messages of a server: as a relay of somebody else's login reads them, and as whoever logs in does.
//!
//! Source: PostgreSQL manual, "Message Formats", "Authentication…".

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
