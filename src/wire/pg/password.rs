//! What whoever logs in answers: PasswordMessage, SASLInitialResponse, SASLResponse.
//!
//! Source: PostgreSQL manual, "Message Formats". All three have one code; which of them it is follows from what was asked.

use bytes::{BufMut, BytesMut};

use super::code::client;
use super::frame::HEAD;
use super::refusal::message;
use crate::wire::Malformed;
use crate::wire::reader::Reader;

/// Writes a PasswordMessage. The password must hold no NUL.
pub fn password(text: &[u8], out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(text.len().saturating_add(1));
    body.put_slice(text);
    body.put_u8(0);
    message(client::PASSWORD, &body, out);
}

/// Writes a SASLInitialResponse.
pub fn sasl_initial(mechanism: &str, data: &[u8], out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(mechanism.len().saturating_add(data.len()).saturating_add(5));
    body.put_slice(mechanism.as_bytes());
    body.put_u8(0);
    body.put_u32(u32::try_from(data.len()).unwrap_or(u32::MAX));
    body.put_slice(data);
    message(client::PASSWORD, &body, out);
}

/// Writes a SASLResponse.
pub fn sasl_response(data: &[u8], out: &mut BytesMut) {
    message(client::PASSWORD, data, out);
}

/// Reads a PasswordMessage, given from its head on.
///
/// # Errors
/// The text has no end, or something behind it.
pub fn read_password(frame: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).ok_or(Malformed::Short)?);
    let text = reader.cstr()?;
    reader.end()?;
    Ok(text)
}

/// Reads a SASLInitialResponse, given from its head on: the mechanism and the client's first message.
///
/// # Errors
/// Lengths that do not fit, or no first message: no mechanism that is offered begins with the server.
pub fn read_sasl_initial(frame: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(frame.get(HEAD..).ok_or(Malformed::Short)?);
    let mechanism = reader.cstr()?;
    let length = usize::try_from(reader.i32()?).map_err(|_| Malformed::Length)?;
    let data = reader.bytes(length)?;
    reader.end()?;
    Ok((mechanism, data))
}

/// Reads a SASLResponse, given from its head on.
pub fn read_sasl(frame: &[u8]) -> &[u8] {
    frame.get(HEAD..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = BytesMut::new();
        password(b"secret", &mut out);
        assert_eq!(read_password(&out), Ok(&b"secret"[..]));
        out.clear();
        sasl_initial("SCRAM-SHA-256", b"n,,n=,r=x", &mut out);
        assert_eq!(read_sasl_initial(&out), Ok((&b"SCRAM-SHA-256"[..], &b"n,,n=,r=x"[..])));
        out.clear();
        sasl_response(b"c=biws", &mut out);
        assert_eq!(read_sasl(&out), b"c=biws");
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for (body, expected) in [
            (&b""[..], Malformed::Unterminated),
            (b"S", Malformed::Unterminated),
            (b"S\0", Malformed::Short),
            (b"S\0\0\0\0\x05abc", Malformed::Short),
            (b"S\0\0\0\0\x02abc", Malformed::Trailing),
            (b"S\0\xff\xff\xff\xff", Malformed::Length),
            (b"S\0\x80\0\0\0abc", Malformed::Length),
        ] {
            let mut frame = BytesMut::new();
            message(client::PASSWORD, body, &mut frame);
            assert_eq!(read_sasl_initial(&frame), Err(expected), "{body:?}");
        }
        for (body, expected) in [(&b"abc"[..], Malformed::Unterminated), (b"a\0b", Malformed::Trailing)] {
            let mut frame = BytesMut::new();
            message(client::PASSWORD, body, &mut frame);
            assert_eq!(read_password(&frame), Err(expected), "{body:?}");
        }
    }
}
