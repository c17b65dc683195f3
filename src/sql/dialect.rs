//! Which SQL a text is written in, and the session state that changes how it reads.

/// The SQL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
}

/// What a backslash means in a plain `'…'` literal: PostgreSQL's `standard_conforming_strings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strings {
    /// `on`: a backslash is an ordinary character.
    Standard,
    /// `off`: a backslash escapes what follows it.
    Escapes,
}

/// Everything beside the text that decides how it reads: part of the key of every cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// The server's SQL.
    pub dialect: Dialect,
    /// `standard_conforming_strings` of the session, as the server reported it.
    pub strings: Strings,
}

impl Flags {
    /// A PostgreSQL session at its defaults.
    pub const POSTGRES: Self = Self { dialect: Dialect::Postgres, strings: Strings::Standard };

    /// The same session after the server reported `standard_conforming_strings`.
    #[must_use]
    pub const fn with_strings(self, strings: Strings) -> Self {
        Self { dialect: self.dialect, strings }
    }
}
