//! Bytes to meaning and back, with no socket, no task and no policy.
//!
//! A protocol cuts frames out of a buffer, says what a frame asks or answers, keeps the phase of the conversation and
//! turns a refusal into bytes that are legal in that phase. The relay is generic over [`Protocol`] and knows no message.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod errand;
pub mod malformed;
pub mod pg;
pub mod reader;
pub mod reply;
pub mod request;

use bytes::BytesMut;

pub use errand::{Errand, Form, Tail};
pub use malformed::Malformed;
pub use pg::bind::{Format, Value, Values};
pub use reply::{Completion, Failure, Reply, Setting, Transaction};
pub use request::Request;

/// The head of one frame: its code and how many bytes follow the head's own `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Message code.
    pub code: u8,
    /// Bytes of the whole frame, head included.
    pub size: u64,
}

/// How much of a frame must be at hand before it can be decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The head is enough: the body may stream.
    Head,
    /// This many bytes from the start of the frame, or all of it where it is shorter.
    Prefix(u64),
}

/// What to do with a client's frame that no rule refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It goes to the server as received.
    Forward,
    /// It belongs to a pipeline that was refused: nobody sees it.
    Drop,
    /// It ends such a pipeline: dropped, and the protocol's "ready" is due from us.
    Conclude,
}

/// How bad a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement fails, the session goes on.
    Error,
    /// The session ends.
    Fatal,
}

/// A refusal in words, before it has the form of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether the session survives it.
    pub severity: Severity,
    /// SQLSTATE for PostgreSQL.
    pub sqlstate: &'static str,
    /// Name of the rule or cap.
    pub rule: &'static str,
    /// One sentence that starts with `FLOODWALL[rule=NAME]`.
    pub message: String,
    /// More facts; empty where there are none.
    pub detail: String,
    /// What to do instead; empty where there is nothing to say.
    pub hint: String,
}

/// Where bytes of ours that a client's frame causes are added.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// To the client, at the next frame border of what the server sends.
    pub client: &'a mut BytesMut,
    /// To the server, before the frame at hand or in place of it.
    pub server: &'a mut BytesMut,
}

/// One wire protocol, free of I/O.
pub trait Protocol: 'static {
    /// State of one conversation.
    type Phase: Default + std::fmt::Debug;

    /// Cuts the head of a client's frame. `None`: not enough bytes yet.
    ///
    /// # Errors
    /// The bytes can't be a frame of this protocol.
    fn client_head(buf: &[u8]) -> Result<Option<Head>, Malformed>;

    /// Cuts the head of a server's frame.
    ///
    /// # Errors
    /// As above.
    fn server_head(buf: &[u8]) -> Result<Option<Head>, Malformed>;

    /// What a client's frame needs before [`Protocol::request`]; SQL is wanted up to `hold` bytes.
    fn client_needs(head: Head, hold: u64) -> Needs;

    /// What a server's frame needs before [`Protocol::server`].
    fn server_needs(phase: &Self::Phase, head: Head) -> Needs;

    /// Is a server's frame a row of a reply, and would be one wherever in a conversation it came?
    fn is_row(head: Head) -> bool;

    /// What a client's frame asks; `frame` starts at the head and holds at least what it needs.
    ///
    /// # Errors
    /// A body that no server would accept.
    fn request(head: Head, frame: &[u8]) -> Result<Request<'_>, Malformed>;

    /// True where the next frames of the client are dropped anyway, so that nothing in them is judged.
    fn skipping(phase: &Self::Phase) -> bool;

    /// Advances the phase by a client's frame and says where the frame goes.
    fn client(phase: &mut Self::Phase, head: Head) -> Passage;

    /// Advances the phase by a server's frame.
    fn server(phase: &mut Self::Phase, head: Head, frame: &[u8]) -> Reply;

    /// Refuses the client's frame at hand: advances the phase and writes what each side must get.
    fn refuse(phase: &mut Self::Phase, head: Head, frame: &[u8], refusal: &Refusal, out: &mut Outgoing<'_>);

    /// The rest of the client's pipeline goes nowhere: what came before in it has failed, and the server is through with that and owes
    /// nothing.
    fn skip(phase: &mut Self::Phase);

    /// Writes what ends a pipeline that was skipped.
    fn conclude(phase: &Self::Phase, out: &mut BytesMut);

    /// Writes a message of our own to the server and advances the phase by it. The caller is at a border between frames.
    fn send(phase: &mut Self::Phase, errand: Errand<'_>, out: &mut BytesMut);

    /// Writes the boundary that tells the client how its transaction stands.
    fn boundary(transaction: Transaction, out: &mut BytesMut);

    /// Writes a refusal, or a mere warning, whatever the phase.
    fn announce(notice: Announcement<'_>, out: &mut BytesMut);

    /// True where the server owes nothing and no pipeline is open.
    fn ready(phase: &Self::Phase) -> bool;

    /// How far the server is with what it was sent.
    fn tail(phase: &Self::Phase) -> Tail;

    /// How the transaction stood at the last boundary.
    fn transaction(phase: &Self::Phase) -> Transaction;
}

/// Something said out of turn.
#[derive(Debug, Clone, Copy)]
pub enum Announcement<'a> {
    /// Ends the connection.
    Farewell(&'a Refusal),
    /// The statement fails.
    Error(&'a Refusal),
    /// The statement goes on; a rule in `warn` would have refused it.
    Warning(&'a Refusal),
}
