//! What many scripts of statements have in common: messages, and steps of a client's conversation.

use crate::support::{Ends, expect, message, parse, put, query, ready, receive};

pub(crate) fn done(tag: &str) -> Vec<u8> {
    message(b'C', &[tag.as_bytes(), b"\0"].concat())
}

/// One column, `x`.
pub(crate) fn row() -> Vec<u8> {
    message(b'D', b"\0\x01\0\0\0\x01x")
}

/// Parse and Bind without a name.
pub(crate) fn prepared(text: &str) -> Vec<u8> {
    [parse("", text), message(b'B', b"\0\0\0\0\0\0\0\0")].concat()
}

pub(crate) fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

/// A statement of the extended protocol without its Sync.
pub(crate) fn run(text: &str) -> Vec<u8> {
    [prepared(text), execute()].concat()
}

/// Opens a transaction of the client's own.
pub(crate) async fn begin(ends: &mut Ends) {
    put(&mut ends.client, &query("BEGIN")).await;
    expect(&mut ends.server, &query("BEGIN")).await;
    let reply = [done("BEGIN"), ready(b'T')].concat();
    put(&mut ends.server, &reply).await;
    expect(&mut ends.client, &reply).await;
}

/// Reads our error, and nothing else.
pub(crate) async fn expect_refusal(ends: &mut Ends) {
    let (code, body) = receive(&mut ends.client).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(code == b'E' && text.contains("FLOODWALL[rule=budget]"), "{} {text}", char::from(code));
}

/// The next statement goes through as it is, and the client's transaction stands like this.
pub(crate) async fn expect_standing(ends: &mut Ends, state: u8) {
    put(&mut ends.client, &query("SELECT 1")).await;
    expect(&mut ends.server, &query("SELECT 1")).await;
    let reply = [row(), done("SELECT 1"), ready(state)].concat();
    put(&mut ends.server, &reply).await;
    expect(&mut ends.client, &reply).await;
}
