//! What an idle session takes, held to what it took when somebody last looked.

use super::judge::Judge;
use super::ledger::Ledger;
use super::lending::borrowed::Borrowed;
use super::lending::kept::Kept;
use super::relay::Relay;
use super::serve::serve;
use super::welcome::Stay;
use crate::net::stream::Stream;
use crate::roster::Entry;
use crate::wire::pg::{Conversation, Pg};

fn future_of<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_sessions_parts_stay_small() {
    for (what, bytes, limit) in [
        ("the task, which the relay is no part of", future_of(serve), 96),
        ("the relay with all it holds", size_of::<Relay<Pg, Stream, Stream, Ledger>>(), 1_144),
        ("the relay of a client whose servers are lent", size_of::<Relay<Pg, Stream, Borrowed, Ledger>>(), 1_336),
        ("of it the books", size_of::<Ledger>(), 512),
        ("of these the judge", size_of::<Judge>(), 296),
        ("permits and seat", size_of::<Stay>(), 88),
        ("the phase", size_of::<Conversation>(), 56),
        ("what it keeps while servers come and go", size_of::<Kept>(), 72),
        ("a stream", size_of::<Stream>(), 48),
        ("the entry in the roster", size_of::<Entry>(), 256),
    ] {
        assert!(bytes <= limit, "{what}: {bytes} bytes, more than {limit}");
    }
}
