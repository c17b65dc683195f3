//! What a server answers, in the words of any protocol.

use super::Severity;

/// The state of the session's transaction as the server last told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transaction {
    /// None is open.
    #[default]
    None,
    /// One is open.
    Open,
    /// One is open and has failed.
    Failed,
}

/// What a server's frame means to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Passes on untouched.
    Other,
    /// Passes on untouched, at any moment: notifications, settings and what is meant for a log belong to no request.
    Aside,
    /// Passes on untouched, behind all that was answered before it: what the statement at work has to say.
    Notice,
    /// A row of a reply.
    Row,
    /// A row that is all of its reply: the value of a function that was called without a text.
    Value,
    /// A piece of a stream that the server sends: a row of `COPY … TO STDOUT`.
    Piece,
    /// A statement is done, or its portal has paused.
    Completed(Completion),
    /// The server takes the data of a COPY from here on.
    Copying,
    /// The server is done with one request and says how its transaction stands.
    Boundary(Transaction),
    /// An error or a fatal end; passes on untouched.
    Failed(Failure),
    /// The error that a refusal provoked at the server: these bytes take its place.
    Substitute(Vec<u8>),
    /// A setting that changes how SQL is read; passes on untouched.
    Setting(Setting),
}

/// How a statement was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It changed so many rows, as the server counts them: without cascades and triggers.
    Changed(u64),
    /// Anything else.
    Other,
}

/// What the relay must know of a server's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// SQLSTATE; zeros where the server gave none.
    pub sqlstate: [u8; 5],
    /// The server ends the connection after it.
    pub fatal: Severity,
}

/// Settings of a session that change how its SQL is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `standard_conforming_strings` is on.
    PlainStrings,
    /// `standard_conforming_strings` is off: a backslash escapes.
    EscapedStrings,
    /// `client_encoding` is now one whose ASCII bytes are always ASCII.
    SafeEncoding,
    /// `client_encoding` is now one in which the second byte of a pair may look like ASCII.
    PairEncoding,
    /// The same, with some high bytes that stand alone.
    ShiftJisEncoding,
    /// The client has asked for a `search_path` of its own: names may mean other tables than its role sees.
    OwnPath,
    /// `search_path` is this now, as the server reports it; of at most 1 KiB.
    Path(Box<str>),
}
