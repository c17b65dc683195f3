//! What a server says on the way in, where Floodwall takes its place: challenges, AuthenticationOk, parameters, the key.
//!
//! Source: PostgreSQL manual, "Message Formats".

use bytes::{BufMut, BytesMut};

use super::code::server;
use super::frame::HEAD;
use super::refusal::{head, message};
use super::startup::Version;

/// Asks for the password as it is.
pub fn ask_cleartext(out: &mut BytesMut) {
    authentication(3, &[], out);
}

/// Asks for the password's hash.
pub fn ask_md5(salt: [u8; 4], out: &mut BytesMut) {
    authentication(5, &salt, out);
}

/// Asks for an exchange by one of `mechanisms`, the best first.
pub fn ask_sasl(mechanisms: &[&str], out: &mut BytesMut) {
    let mut list = BytesMut::new();
    for mechanism in mechanisms {
        list.put_slice(mechanism.as_bytes());
        list.put_u8(0);
    }
    list.put_u8(0);
    authentication(10, &list, out);
}

/// The next step of an exchange.
pub fn sasl_continue(data: &[u8], out: &mut BytesMut) {
    authentication(11, data, out);
}

/// The last word of the server in an exchange.
pub fn sasl_final(data: &[u8], out: &mut BytesMut) {
    authentication(12, data, out);
}

/// AuthenticationOk.
pub fn ok(out: &mut BytesMut) {
    authentication(0, &[], out);
}

/// A ParameterStatus.
pub fn parameter(name: &[u8], value: &[u8], out: &mut BytesMut) {
    let body = name.len().saturating_add(value.len()).saturating_add(2);
    out.reserve(body.saturating_add(HEAD));
    head(server::PARAMETER_STATUS, body, out);
    for text in [name, value] {
        out.put_slice(text);
        out.put_u8(0);
    }
}

/// A BackendKeyData.
pub fn key(pid: i32, secret: &[u8], out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(secret.len().saturating_add(4));
    body.put_i32(pid);
    body.put_slice(secret);
    message(server::BACKEND_KEY_DATA, &body, out);
}

/// A NegotiateProtocolVersion: the version that is spoken from here on, and the options that are not known.
pub fn negotiate(version: Version, unknown: &[&[u8]], out: &mut BytesMut) {
    let mut body = BytesMut::new();
    body.put_u32(version.number());
    body.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
    for name in unknown {
        body.put_slice(name);
        body.put_u8(0);
    }
    message(server::NEGOTIATE, &body, out);
}

fn authentication(kind: u32, data: &[u8], out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(data.len().saturating_add(4));
    body.put_u32(kind);
    body.put_slice(data);
    message(server::AUTHENTICATION, &body, out);
}
