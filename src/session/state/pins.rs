//! Why a server is pinned to one client.

/// Things of a session that cannot be moved to another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reasons(u8);

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Objects in `pg_temp`.
    Temporary,
    /// Advisory locks of the session.
    AdvisoryLock,
    /// Channels that are listened to.
    Listen,
    /// Cursors `WITH HOLD`.
    Cursor,
    /// Statements prepared by SQL.
    Prepared,
    /// Another role than the one that logged in.
    Role,
    /// A library was loaded. It stays as long as the server: nobody else gets it.
    Library,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Temporary, Self::AdvisoryLock, Self::Listen, Self::Cursor, Self::Prepared, Self::Role, Self::Library];

    /// A word for `SHOW PINS` and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Temporary => "temp",
            Self::AdvisoryLock => "advisory_lock",
            Self::Listen => "listen",
            Self::Cursor => "cursor",
            Self::Prepared => "prepare",
            Self::Role => "role",
            Self::Library => "load",
        }
    }

    /// The reason of that label.
    pub fn of(label: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.label().as_bytes() == label)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Temporary => 1,
            Self::AdvisoryLock => 2,
            Self::Listen => 4,
            Self::Cursor => 8,
            Self::Prepared => 16,
            Self::Role => 32,
            Self::Library => 64,
        }
    }
}

impl Reasons {
    /// None.
    pub const NONE: Self = Self(0);

    /// True where there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True where this is one of them.
    pub const fn has(self, reason: Reason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// These and one more.
    #[must_use]
    pub const fn and(self, reason: Reason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |&reason| self.has(reason))
    }

    /// Words for people: `temp, listen`.
    pub fn words(self) -> String {
        self.iter().map(Reason::label).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart_and_in_words() {
        let all = Reason::ALL.into_iter().fold(Reasons::NONE, Reasons::and);
        assert_eq!(all.iter().collect::<Vec<_>>(), Reason::ALL);
        assert!(Reason::ALL.iter().all(|&reason| Reason::of(reason.label().as_bytes()) == Some(reason)));
        assert_eq!(Reasons::NONE.and(Reason::Listen).and(Reason::Temporary).words(), "temp, listen");
        assert!(Reasons::NONE.is_none() && !Reasons::NONE.has(Reason::Role) && Reasons::NONE.words().is_empty());
    }
}
