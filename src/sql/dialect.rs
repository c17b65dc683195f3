//! Which SQL a text is written in, and the session state that changes how it reads.

/// The SQL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// PostgreSQL.
    #[default]
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// What a backslash means in a plain `'…'` literal: PostgreSQL's `standard_conforming_strings`, and MySQL's
/// `NO_BACKSLASH_ESCAPES` the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strings {
    /// `on`: a backslash is an ordinary character.
    Standard,
    /// `off`: a backslash escapes what follows it.
    Escapes,
}

/// What `"…"` is: MySQL's `ANSI_QUOTES`. To PostgreSQL it is always a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quotes {
    /// Another way to write a string.
    Text,
    /// A name.
    Name,
}

/// Which product a MySQL server is, and its version: they decide which executable comments run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// MySQL, as a number such as 80036 for 8.0.36.
    MySql(u32),
    /// MariaDB, as a number such as 101108 for 10.11.8.
    MariaDb(u32),
}

impl Server {
    /// True where the content of `/*!…*/` with this version runs; 0 where it names none.
    pub const fn runs(self, version: u32) -> bool {
        match self {
            Self::MySql(own) => version <= own,
            // MariaDB does not claim to know what MySQL 5.7 brought.
            Self::MariaDb(own) => version <= own && !matches!(version, 50_700..=99_999),
        }
    }

    /// True where the content of `/*M!…*/` with this version runs; 0 where it names none.
    pub const fn runs_mariadb(self, version: u32) -> bool {
        match self {
            Self::MySql(_) => false,
            Self::MariaDb(own) => version <= own,
        }
    }
}

/// Everything beside the text that decides how it reads: part of the key of every cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// The server's SQL.
    pub dialect: Dialect,
    /// `standard_conforming_strings` of the session, as the server reported it.
    pub strings: Strings,
    /// `ANSI_QUOTES` of the session.
    pub quotes: Quotes,
    /// The server behind a MySQL session; means nothing to PostgreSQL.
    pub server: Server,
}

impl Flags {
    /// A PostgreSQL session at its defaults.
    pub const POSTGRES: Self =
        Self { dialect: Dialect::Postgres, strings: Strings::Standard, quotes: Quotes::Name, server: Server::MySql(0) };

    /// A session of MySQL 8.4 at its defaults.
    pub const MYSQL: Self = Self {
        dialect: Dialect::MySql,
        strings: Strings::Escapes,
        quotes: Quotes::Text,
        server: Server::MySql(80_400),
    };

    /// A session of MariaDB 10.11 at its defaults.
    pub const MARIADB: Self = Self { server: Server::MariaDb(101_100), ..Self::MYSQL };

    /// A session of a server at its defaults; of MySQL and MariaDB, one that is in wide use.
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self::POSTGRES,
            Dialect::MySql => Self::MYSQL,
        }
    }

    /// The same session after the server reported `standard_conforming_strings`, or `NO_BACKSLASH_ESCAPES`.
    #[must_use]
    pub const fn with_strings(self, strings: Strings) -> Self {
        Self { strings, ..self }
    }

    /// The same session after `ANSI_QUOTES` was set or taken back.
    #[must_use]
    pub const fn with_quotes(self, quotes: Quotes) -> Self {
        Self { quotes, ..self }
    }

    /// The same session on another server.
    #[must_use]
    pub const fn on(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// A number that differs where the session's settings do; the server does not count, since it never changes.
    pub(super) const fn bits(self) -> u64 {
        self.strings as u64 | (self.dialect as u64) << 8 | (self.quotes as u64) << 16
    }
}
