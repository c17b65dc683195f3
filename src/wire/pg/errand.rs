//! Messages of our own to the server.

use bytes::{BufMut, BytesMut};

use super::code::client;
use super::own;
use super::refusal::{copy_fail, failing_parse, failing_query, message};
use crate::wire::{Errand, Form};

/// Our savepoint, and the statement and portal of a pipeline of ours. Nothing of this name stays: the first is released or goes with what it
/// stands in, the others are closed.
const OURS: &str = "floodwall_write";
const SAVEPOINT: &str = "SAVEPOINT floodwall_write";
const RELEASE: &str = "RELEASE SAVEPOINT floodwall_write";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT floodwall_write";

/// Terminate: the end of a connection of our own.
pub const GOODBYE: [u8; 5] = [client::TERMINATE, 0, 0, 0, 4];

/// Writes an errand and hands each code that was written to `sent`.
pub fn write(errand: Errand<'_>, out: &mut BytesMut, mut sent: impl FnMut(u8)) {
    match errand {
        Errand::Begin => query("BEGIN", out, sent),
        Errand::Commit => query("COMMIT", out, sent),
        Errand::Rollback => query("ROLLBACK", out, sent),
        Errand::Savepoint(form) => texts(&[SAVEPOINT], form, out, sent),
        Errand::Release(form) => texts(&[RELEASE], form, out, sent),
        Errand::RollbackTo(form) => texts(&[ROLLBACK_TO, RELEASE], form, out, sent),
        Errand::Sync => {
            own::sync(out);
            sent(client::SYNC);
        }
        Errand::Flush => {
            own::flush(out);
            sent(client::FLUSH);
        }
        Errand::Fail(rule) => {
            failing_query(&word(rule), out);
            sent(client::QUERY);
        }
        Errand::FailPipeline(rule) => {
            let word = word(rule);
            // A name of our own, since a Parse without one would take the client's unnamed statement away.
            failing_parse(word.as_bytes(), &word, out);
            sent(client::PARSE);
            write(Errand::Flush, out, sent);
        }
        Errand::FailCopy(rule) => {
            copy_fail(&word(rule), out);
            sent(client::COPY_FAIL);
        }
    }
}

fn texts(texts: &[&str], form: Form, out: &mut BytesMut, mut sent: impl FnMut(u8)) {
    match form {
        Form::Alone => query(&texts.join("; "), out, sent),
        Form::Pipeline => {
            texts.iter().for_each(|text| step(text, out, &mut sent));
            write(Errand::Sync, out, sent);
        }
    }
}

/// Runs one text in a pipeline.
fn step(text: &str, out: &mut BytesMut, sent: &mut impl FnMut(u8)) {
    let name = OURS.as_bytes();
    // One that failed may have left it.
    own::close(name, out);
    own::parse(name, &[text.as_bytes(), &[0, 0, 0]].concat(), out);
    // Portal and statement; no formats, no values, no formats.
    message(client::BIND, &[name, &[0], name, &[0; 7]].concat(), out);
    message(client::EXECUTE, &[name, &[0; 5]].concat(), out);
    own::close(name, out);
    message(client::CLOSE, &[b"P", name, &[0]].concat(), out);
    for code in [client::CLOSE, client::PARSE, client::BIND, client::EXECUTE, client::CLOSE, client::CLOSE] {
        sent(code);
    }
}

fn query(text: &str, out: &mut BytesMut, mut sent: impl FnMut(u8)) {
    let mut body = BytesMut::with_capacity(text.len().saturating_add(1));
    body.put_slice(text.as_bytes());
    body.put_u8(0);
    message(client::QUERY, &body, out);
    sent(client::QUERY);
}

/// A word that no server knows, without a number: its error is not looked for among those of refusals.
fn word(rule: &str) -> String {
    format!("floodwall_refused_{rule}")
}
