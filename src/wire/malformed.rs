//! Why bytes are refused.

/// A reason to answer with a protocol error and to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length field that is smaller than itself.
    #[error("invalid message length")]
    Length,
    /// A frame longer than its kind may be.
    #[error("message is too long for its type")]
    TooLong,
    /// A name of a statement or portal that is longer than anybody looks at. Its message can be told from the next one all the same.
    #[error("the name of a statement or portal is too long")]
    Name,
    /// A message code that no client sends in this state.
    #[error("invalid frontend message type")]
    Code,
    /// A body that ends before what it announces.
    #[error("message ends too early")]
    Short,
    /// A body with bytes after its end.
    #[error("invalid message format")]
    Trailing,
    /// A string without its end.
    #[error("string is not terminated")]
    Unterminated,
    /// A major protocol version other than 3.
    #[error("unsupported frontend protocol")]
    Version,
    /// A cancel request whose secret is shorter or longer than any; it is never answered.
    #[error("invalid cancel request")]
    Cancel,
    /// A start-up packet that names no user.
    #[error("no PostgreSQL user name specified in startup packet")]
    NoUser,
    /// Bytes that are not allowed where they stand.
    #[error("invalid content")]
    Content,
    /// A reply to what nobody asked.
    #[error("a reply that nothing was asked for")]
    OutOfStep,
}
