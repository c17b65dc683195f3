//! Why a statement was not read by the parser.

/// Why the parser read nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// The shape is over 64 KiB.
    TooLong,
    /// More than 8,000 tokens.
    TooManyTokens,
    /// Nested too deeply.
    TooDeep,
    /// The parser does not know its syntax.
    Syntax,
    /// Reading it took too long.
    TooSlow,
}

impl Unreadable {
    /// A sentence part for logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLong => "too long",
            Self::TooManyTokens => "too many tokens",
            Self::TooDeep => "nested too deeply",
            Self::Syntax => "unknown syntax",
            Self::TooSlow => "too slow to read",
        }
    }
}
