//! Cuts messages: one byte of code, four of length, which count themselves and the body.
//!
//! Lengths are checked before anything is kept. The limits are those of the server's own reader
//! (`SocketBackend` in PostgreSQL's `postgres.c`: 10,000 bytes for messages that are always small, 1 GiB less one for the rest), but for
//! messages that are only long by a name: there the server closes the connection without a word, and [`request`](super::request) says more.

use super::code::client;
use crate::wire::{Head, Malformed};

/// Bytes of a head.
pub const HEAD: usize = 5;
/// The same, as sizes of messages are counted.
pub const HEAD_SIZE: u64 = 5;

/// The longest length of a message that is always small.
pub const SMALL: u32 = 10_000;
const LARGE: u32 = 0x3fff_ffff;

/// Cuts the head of a client's message once it is logged in.
///
/// # Errors
/// [`Malformed::Code`], [`Malformed::Length`] or [`Malformed::TooLong`].
pub fn client_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some(&code) = buf.first() else { return Ok(None) };
    let limit = match code {
        client::BIND
        | client::CLOSE
        | client::COPY_DATA
        | client::DESCRIBE
        | client::EXECUTE
        | client::FUNCTION_CALL
        | client::PARSE
        | client::QUERY
        | client::COPY_FAIL
        | client::PASSWORD => LARGE,
        client::COPY_DONE | client::FLUSH | client::SYNC | client::TERMINATE => SMALL,
        _ => return Err(Malformed::Code),
    };
    head(buf, limit)
}

/// Cuts the head of a server's message. Any code passes: the server may know more than we do.
///
/// # Errors
/// [`Malformed::Length`] or [`Malformed::TooLong`].
pub fn server_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
    head(buf, 0x7fff_fff0)
}

fn head(buf: &[u8], limit: u32) -> Result<Option<Head>, Malformed> {
    let Some(&[code, a, b, c, d]) = buf.first_chunk::<HEAD>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    if length < 4 {
        return Err(Malformed::Length);
    }
    if length > limit {
        return Err(Malformed::TooLong);
    }
    Ok(Some(Head { code, size: u64::from(length).saturating_add(1) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_whole_head() {
        assert_eq!(client_head(b""), Ok(None));
        assert_eq!(client_head(b"Q\0\0\0"), Ok(None));
        assert_eq!(client_head(b"Q\0\0\0\x05\0"), Ok(Some(Head { code: b'Q', size: 6 })));
    }

    #[test]
    fn refuses_lengths_and_codes_that_the_server_would_refuse() {
        assert_eq!(client_head(b"Q\0\0\0\x03"), Err(Malformed::Length));
        assert_eq!(client_head(b"S\0\0\x30\0"), Err(Malformed::TooLong));
        assert_eq!(client_head(b"Q\x40\0\0\0"), Err(Malformed::TooLong));
        assert_eq!(client_head(b"Z"), Err(Malformed::Code));
        assert_eq!(client_head(b"\x16\x03\x01\0\0"), Err(Malformed::Code));
        assert_eq!(server_head(b"D\xff\xff\xff\xff"), Err(Malformed::TooLong));
        assert_eq!(server_head(b"z\0\0\0\x04"), Ok(Some(Head { code: b'z', size: 5 })));
    }
}
