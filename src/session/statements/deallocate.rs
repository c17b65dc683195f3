//! `DEALLOCATE name` of a statement that a client has prepared by the protocol, as some drivers end them.
//!
//! The statement stays at the servers for others, and the one at hand need not even have it. So that it says what it would say to a
//! client of its own (in a failed transaction: no), it gets a statement that does nothing, under a name that no client can have, and
//! is told to end that one.

use bytes::BytesMut;

use super::entry::{Entry, Undo, Wants, Whose};
use super::plan::{Mode, Parts, Passing, Plan};
use super::shared::{NOWHERE, is_ours};
use super::unnamed::Unnamed;
use crate::wire::Outgoing;
use crate::wire::pg::own;
use crate::wire::pg::rename::Asked;

/// What is ended in its place.
const GONE: &[u8] = b"FLOODWALL_GONE";
/// How. No client can prepare a statement of that name.
const END_GONE: &str = "DEALLOCATE \"FLOODWALL_GONE\"";
/// What ends no statement at all: see [`NOWHERE`].
const END_NOWHERE: &str = "DEALLOCATE \"FLOODWALL_0\"";
/// A text that does nothing, without types.
const NOTHING: &[u8] = b"\0\0\0";

/// Which message carries the text.
#[derive(Debug, Clone, Copy)]
enum By {
    Query,
    Parse,
}

impl Plan {
    /// A client's message that only ends the statement of this name: [`deallocated`](crate::wire::pg::deallocate::deallocated).
    /// `None` where it is an ordinary message: [`Plan::client`]. A Parse ends the statement at once, since whoever parses this runs it.
    pub fn deallocates(
        &mut self,
        asked: Asked<'_>,
        name: &[u8],
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Option<Passing> {
        let by = match asked {
            _ if self.mode != Mode::Asking => return None,
            // Where a pipeline is open the server may skip it, and a Sync of ours would end that.
            Asked::Query if self.is_between_groups() => By::Query,
            Asked::Parse { name: b"", .. } => By::Parse,
            _ => return None,
        };
        if self.may_turn_out(name, parts) || self.may_end_all(parts) {
            return Some(Passing::Later);
        }
        let Some(statement) = parts.names.remove(name) else {
            return is_ours(name).then(|| self.ends_nothing(by, parts, caused.server));
        };
        parts.known.learning.names(name);
        let closed = Undo::Closed(name.into(), statement);
        own::close(GONE, caused.server);
        self.ours(Wants::Close, Undo::Nothing);
        own::parse(GONE, NOTHING, caused.server);
        match by {
            By::Query => {
                self.ours(Wants::Parse, Undo::Nothing);
                self.ends_by_query(closed, parts, caused.server);
            }
            By::Parse => {
                self.ours(Wants::Parse, Undo::Nothing);
                self.ends_by_parse(closed, parts, caused.server);
            }
        }
        Some(Passing::Withheld)
    }

    /// A Query of one statement is the same as this pipeline, but for replies that are dropped.
    fn ends_by_query(&mut self, closed: Undo, parts: &mut Parts<'_>, out: &mut BytesMut) {
        own::ask(END_GONE, &[], out);
        self.queries([Entry::new(Wants::Executed, Whose::Client).undoing(closed)], parts, out);
    }

    /// The client's unnamed statement is of use at this server only, which has what it ends. The name goes with a step behind it, which does
    /// nothing: where the server denies the text, as in a transaction that has failed, it skips that, and the client has what it had.
    fn ends_by_parse(&mut self, closed: Undo, parts: &mut Parts<'_>, out: &mut BytesMut) {
        own::parse(b"", &[END_GONE.as_bytes(), NOTHING].concat(), out);
        let number = parts.shared.number();
        let client = std::mem::replace(&mut parts.names.unnamed, Unnamed::Some { number, body: None });
        let unnamed = Undo::Unnamed(client, parts.known.unnamed.replace(number));
        self.queue.push_back(Entry::new(Wants::Parse, Whose::Client).undoing(unnamed));
        own::close(NOWHERE, out);
        self.ours(Wants::Close, closed);
    }

    /// What a client calls by a name of ours is not its own.
    fn ends_nothing(&mut self, by: By, parts: &mut Parts<'_>, out: &mut BytesMut) -> Passing {
        match by {
            By::Query => {
                own::query(END_NOWHERE, out);
                self.query(parts);
            }
            By::Parse => {
                let body = [END_NOWHERE.as_bytes(), NOTHING].concat();
                own::parse(b"", &body, out);
                self.parse_once(Some(&body), parts);
            }
        }
        Passing::Withheld
    }

    /// Does the server owe nothing but whole groups?
    pub(super) fn is_between_groups(&self) -> bool {
        self.queue.back().is_none_or(Entry::ends_group)
    }
}
