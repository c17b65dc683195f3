//! What the relay itself asks of a server, and how far the server is with what it was sent.

/// A message of our own to the server, at a border between the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand<'a> {
    /// Begin a transaction.
    Begin,
    /// Commit it.
    Commit,
    /// Roll it back.
    Rollback,
    /// Set a savepoint of our own.
    Savepoint(Form),
    /// Forget it, and keep what was done since.
    Release(Form),
    /// Take back what was done since, and forget it.
    RollbackTo(Form),
    /// End a pipeline.
    Sync,
    /// Send what is ready, without the end of the pipeline.
    Flush,
    /// Fail, so that an open transaction is aborted. The rule shows in the server's log.
    Fail(&'a str),
    /// Fail inside the open pipeline, and say so at once.
    FailPipeline(&'a str),
    /// Give up a COPY IN.
    FailCopy(&'a str),
}

/// How an errand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a message that stands for itself. It takes away what the client has prepared or opened without a name.
    Alone,
    /// As a pipeline of its own with names of ours: what the client has at the server stays.
    Pipeline,
}

/// How far a server is with what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It owes nothing.
    Idle,
    /// It owes no boundary, and a pipeline waits for its end.
    Open,
    /// It owes one boundary, and nothing was sent behind it.
    Closed,
    /// More was sent behind the next boundary.
    Buried,
    /// It takes data of a COPY.
    Copy,
    /// Data flows both ways, as in replication, for as long as either side likes.
    Stream,
    /// Nobody can tell.
    Lost,
}
