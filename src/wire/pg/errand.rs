//! Messages of our own to the server.

use bytes::{BufMut, BytesMut};

use super::code::client;
use super::refusal::{copy_fail, failing_parse, failing_query, message};
use crate::wire::Errand;

/// Our savepoint. None of this name stays: it is released, or goes with what it stands in.
const SAVEPOINT: &str = "floodwall_write";

/// Terminate: the end of a connection of our own.
pub const GOODBYE: [u8; 5] = [client::TERMINATE, 0, 0, 0, 4];

/// Writes an errand and hands each code that was written to `sent`.
pub fn write(errand: Errand<'_>, out: &mut BytesMut, mut sent: impl FnMut(u8)) {
    match errand {
        Errand::Begin => query("BEGIN", out, sent),
        Errand::Commit => query("COMMIT", out, sent),
        Errand::Rollback => query("ROLLBACK", out, sent),
        Errand::Savepoint => query(&format!("SAVEPOINT {SAVEPOINT}"), out, sent),
        Errand::Release => query(&format!("RELEASE SAVEPOINT {SAVEPOINT}"), out, sent),
        Errand::RollbackTo => {
            query(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}"), out, sent);
        }
        Errand::Flush => {
            message(client::FLUSH, &[], out);
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
