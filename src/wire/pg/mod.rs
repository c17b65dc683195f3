//! PostgreSQL's protocol, version 3.
//!
//! Source: PostgreSQL manual, chapter "Frontend/Backend Protocol".

pub mod auth;
pub mod bind;
pub mod code;
mod copy;
pub mod deallocate;
pub mod errand;
pub mod execute;
pub mod frame;
pub mod greeting;
pub mod notification;
mod owed;
pub mod own;
pub mod password;
pub mod phase;
mod provoked;
pub mod refusal;
pub mod rename;
pub mod reply;
pub mod request;
pub mod startup;
pub mod steps;

use bytes::BytesMut;

use self::phase::{Phase, Place};
use self::provoked::Provoked;
use super::{
    Announcement, Errand, Head, Malformed, Needs, Outgoing, Passage, Protocol, Refusal, Reply, Request, Tail,
    Transaction,
};

/// The protocol of PostgreSQL.
#[derive(Debug)]
pub enum Pg {}

/// Bytes of a name: the server cuts a longer one, so it is the same name (`NAMEDATALEN` less one; PostgreSQL manual, "Identifiers and Key
/// Words").
pub const NAME_MAX: usize = 63;

/// A conversation: its phase, and the refusals that the server has yet to fail on.
#[derive(Debug, Default)]
pub struct Conversation {
    phase: Phase,
    /// In the order of the stream. `None` while there is none, since that is nearly always.
    refusals: Option<Box<Provoked>>,
    data: copy::Data,
}

impl Protocol for Pg {
    type Phase = Conversation;

    fn client_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
        frame::client_head(buf)
    }

    fn server_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
        frame::server_head(buf)
    }

    fn client_needs(head: Head, hold: u64) -> Needs {
        request::needs(head, hold)
    }

    fn server_needs(_phase: &Conversation, head: Head) -> Needs {
        reply::needs(head)
    }

    fn is_row(head: Head) -> bool {
        head.code == code::server::DATA_ROW
    }

    fn request(head: Head, frame: &[u8]) -> Result<Request<'_>, Malformed> {
        request::request(head, frame)
    }

    fn skipping(conversation: &Conversation) -> bool {
        matches!(conversation.phase, Phase::Skipping(_))
    }

    fn client(conversation: &mut Conversation, head: Head) -> Passage {
        if conversation.drops(head.code) {
            return Passage::Drop;
        }
        conversation.phase.client(head.code)
    }

    fn server(conversation: &mut Conversation, head: Head, frame: &[u8]) -> Reply {
        let status = if head.code == code::server::READY { reply::status(frame) } else { None };
        conversation.phase.server(head.code, status);
        match (head.code, status) {
            (code::server::READY, Some(transaction)) => {
                if conversation.phase.is_ready() {
                    conversation.refusals = None;
                }
                Reply::Boundary(transaction)
            }
            (code::server::ERROR, _) => conversation.failed(frame),
            (code::server::PARAMETER_STATUS, _) => reply::setting(frame).map_or(Reply::Aside, Reply::Setting),
            (code, _) => conversation.plain(code, frame),
        }
    }

    fn refuse(conversation: &mut Conversation, head: Head, frame: &[u8], refusal: &Refusal, out: &mut Outgoing<'_>) {
        if let code::client::COPY_DATA | code::client::COPY_DONE = head.code {
            return conversation.fail_copy(head.code, refusal, out.server);
        }
        match conversation.phase.refuse(head.code) {
            Place::Here => {
                refusal::error(refusal, out.client);
                if phase::is_answered_alone(head.code) {
                    refusal::ready(Transaction::None, out.client);
                }
            }
            Place::Server => conversation.provoke(head, frame, refusal, out.server),
        }
    }

    fn skip(conversation: &mut Conversation) {
        conversation.phase.skip();
    }

    fn conclude(conversation: &Conversation, out: &mut BytesMut) {
        refusal::ready(conversation.phase.transaction(), out);
    }

    fn send(conversation: &mut Conversation, errand: Errand<'_>, out: &mut BytesMut) {
        if let Errand::FailCopy(_) = errand {
            conversation.data = copy::Data::Unwanted;
        }
        errand::write(errand, out, |code| {
            conversation.phase.client(code);
        });
    }

    fn boundary(transaction: Transaction, out: &mut BytesMut) {
        refusal::ready(transaction, out);
    }

    fn announce(notice: Announcement<'_>, out: &mut BytesMut) {
        match notice {
            Announcement::Farewell(refusal) | Announcement::Error(refusal) => refusal::error(refusal, out),
            Announcement::Warning(refusal) => refusal::warning(refusal, out),
        }
    }

    fn ready(conversation: &Conversation) -> bool {
        conversation.phase.is_ready()
    }

    fn tail(conversation: &Conversation) -> Tail {
        conversation.phase.tail()
    }

    fn transaction(conversation: &Conversation) -> Transaction {
        conversation.phase.transaction()
    }
}

impl Conversation {
    /// Makes the server fail where the refused message stood, and keeps the text for the client.
    fn provoke(&mut self, head: Head, frame: &[u8], refusal: &Refusal, out: &mut BytesMut) {
        let word = self.refusals.get_or_insert_default().add(refusal);
        match (head.code, request::request(head, frame)) {
            (code, _) if phase::is_answered_alone(code) => refusal::failing_query(&word, out),
            (_, Ok(Request::Prepare { name, .. })) => refusal::failing_parse(name, &word, out),
            // Part of a pipeline as well: a Query there would end it early. A name of our own, since a Parse without one would
            // take the client's unnamed statement away.
            _ => refusal::failing_parse(word.as_bytes(), &word, out),
        }
    }

    /// An error of the server: its own, or the one that a refusal provoked. An earlier error of the same pipeline skips
    /// what follows up to Sync, so older refusals may never be raised; they go when a younger one is.
    fn failed(&mut self, frame: &[u8]) -> Reply {
        let failure = reply::failure(frame);
        match self.refusals.as_mut().and_then(|refusals| refusals.raised(failure, frame)) {
            Some(error) => Reply::Substitute(error),
            None => Reply::Failed(failure),
        }
    }
}

#[cfg(test)]
mod tests;
