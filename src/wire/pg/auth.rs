//! Authentication messages, as far as a relay of somebody else's login reads them.
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
