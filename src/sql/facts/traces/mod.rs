//! What a text may leave behind in its session: what a server connection must be looked at for before another client gets it.
//!
//! Read off the words of the shape, never off the parser's tree: what is not recognised counts as unknown, so a word too few here
//! costs a look at the server and never a leak. The tables that a statement names are told beside it, since triggers, rules and
//! policies run functions that no text shows.
//!
//! What is taken to leave nothing, though a text cannot prove it: operators, casts, domains and collations; and a function of a user
//! that has the name of one of the server's own but takes other arguments. `nextval` leaves the session's last value, which nobody
//! else's statement can change; who reads it in a later transaction, by `currval` or `lastval`, is told ([`Traces::RECALLS`]), since a
//! server that somebody else had meanwhile would tell that one's number.

mod called;
mod gathered;

use self::gathered::Gathered;
use crate::sql::dialect::Dialect;
use crate::sql::lexer::Lexed;
use crate::sql::schema::TableName;

/// Kinds of things that stay in a session after its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traces(u16);

impl Traces {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Settings: `SET`, `RESET`, `set_config`.
    pub const SETTING: Self = Self(1);
    /// The role: `SET ROLE`, `SET SESSION AUTHORIZATION`.
    pub const ROLE: Self = Self(2);
    /// Channels that are listened to: `LISTEN`, `UNLISTEN`.
    pub const LISTEN: Self = Self(4);
    /// Temporary tables and other objects in `pg_temp`.
    pub const TEMP: Self = Self(8);
    /// Advisory locks of the session.
    pub const ADVISORY: Self = Self(16);
    /// Cursors `WITH HOLD`.
    pub const HOLD: Self = Self(32);
    /// Statements prepared by SQL.
    pub const PREPARED: Self = Self(64);
    /// `DISCARD ALL`: everything, the prepared statements of the protocol included.
    pub const DISCARD: Self = Self(128);
    /// A library, which nothing unloads.
    pub const LIBRARY: Self = Self(256);
    /// A setting that the server does not list, since no library declares it, under a name that the text does not tell.
    pub const UNNAMED: Self = Self(512);
    /// Whatever a function may do.
    pub const UNKNOWN: Self = Self(1024);
    /// Nothing, but it may end what was left before: `DEALLOCATE`, `UNLISTEN`, `CLOSE`.
    pub const ENDS: Self = Self(2048);
    /// Nothing but the session's last value: `nextval`, `setval`, and rows that may get a key by default.
    pub const ADVANCES: Self = Self(4096);
    /// Nothing, but it reads the last value that an earlier text left: `currval`, `lastval`.
    pub const RECALLS: Self = Self(8192);
    /// Nothing, but settings are others until its transaction ends: `SET LOCAL`, `set_config(…, true)`.
    pub const LOCAL: Self = Self(16384);
    /// Nothing, but the client may have no prepared statements behind it: `DEALLOCATE ALL`, or an `EXECUTE` of that. Of `DISCARD ALL` it
    /// goes without saying.
    pub const FORGETS: Self = Self(32768);
    /// What is of no matter to others.
    pub const OWN: Self = Self::ADVANCES.and(Self::RECALLS).and(Self::LOCAL).and(Self::FORGETS);
    /// What says by its words that settings are others behind it.
    pub const RESETS: Self = Self::SETTING.and(Self::DISCARD).and(Self::LOCAL);

    /// True where nothing is left behind.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True where all of `other` may be left.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True where any of `other` are left by the words of the text.
    pub const fn names(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True where any of `other` may be left, or nobody knows.
    pub const fn may_have(self, other: Self) -> bool {
        self.0 & (other.0 | Self::UNKNOWN.0) != 0
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What both leave.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a text leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Left {
    /// By its own words.
    pub traces: Traces,
    /// Tables that it names. Where one of them is not known to be plain, what it runs may leave anything.
    pub tables: Box<[TableName]>,
    /// Settings with a dot in their names that it sets: the server does not list those that no library declares.
    pub settings: Box<[Box<str>]>,
    /// A database that it needs to itself, once all its sessions have left it.
    pub vacated: Option<Box<str>>,
}

impl Left {
    /// Nobody has read the text.
    pub fn unread() -> Self {
        Self { traces: Traces::UNKNOWN, ..Self::default() }
    }

    /// What these tables make of it: unknown where `is_plain` denies one of them.
    pub fn given(&self, is_plain: impl FnMut(&TableName) -> bool) -> Traces {
        if self.tables.iter().all(is_plain) { self.traces } else { self.traces.and(Traces::UNKNOWN) }
    }

    /// About how much memory this takes.
    pub(super) fn weight_bytes(&self) -> usize {
        self.tables.len() * 96 + self.settings.len() * 48 + self.vacated.as_ref().map_or(0, |name| name.len())
    }
}

/// Reads all statements of a text.
pub(super) fn left(lexed: &Lexed) -> Left {
    if lexed.dialect != Dialect::Postgres {
        return Left::unread();
    }
    let mut gathered = Gathered::default();
    for piece in &lexed.pieces {
        gathered.piece(lexed, piece);
    }
    gathered.left()
}
