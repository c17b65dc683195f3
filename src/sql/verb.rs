//! What a statement does, named by its first keyword.

/// The kind of a statement. `WITH` is resolved to its main statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Verb {
    /// No statement at all: only white space and comments.
    #[default]
    Empty,
    /// `SELECT`, also in parentheses or after `WITH`.
    Select,
    /// `VALUES` as a statement.
    Values,
    /// `TABLE name`.
    Table,
    /// `INSERT`, MySQL's `REPLACE`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `MERGE`.
    Merge,
    /// `COPY`.
    Copy,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `SAVEPOINT`, `RELEASE`.
    Savepoint,
    /// `SET`, `RESET`, `SHOW`, `DISCARD`, `USE`.
    Set,
    /// `PREPARE`, also of a transaction.
    Prepare,
    /// `EXECUTE`.
    Execute,
    /// `DEALLOCATE`.
    Deallocate,
    /// `DECLARE … CURSOR`.
    Declare,
    /// `FETCH`, `MOVE`.
    Fetch,
    /// `CLOSE`.
    Close,
    /// `CREATE`, `ALTER`, `DROP`, `RENAME`, `COMMENT`, `GRANT`, `REVOKE`, `REFRESH`, `REINDEX`, `CLUSTER`, ….
    Schema,
    /// `TRUNCATE`.
    Truncate,
    /// `LOCK`, `UNLOCK`.
    Lock,
    /// `VACUUM`, `ANALYZE`, `CHECKPOINT`, MySQL's `OPTIMIZE`, `CHECK`, `REPAIR` and `FLUSH`.
    Maintain,
    /// `CALL`, `DO`, a block of statements.
    Call,
    /// `EXPLAIN`, `DESCRIBE`.
    Explain,
    /// `LISTEN`, `NOTIFY`, `UNLISTEN`.
    Notify,
    /// MySQL's `LOAD DATA` and `LOAD XML`.
    Load,
    /// MySQL's `HANDLER`: rows of a table in portions.
    Handler,
    /// MySQL's `XA`.
    Xa,
    /// MySQL's `KILL`.
    Kill,
    /// Anything else.
    Other,
}

impl Verb {
    /// A word for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Select => "select",
            Self::Values => "values",
            Self::Table => "table",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Copy => "copy",
            Self::Begin => "begin",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Savepoint => "savepoint",
            Self::Set => "set",
            Self::Prepare => "prepare",
            Self::Execute => "execute",
            Self::Deallocate => "deallocate",
            Self::Declare => "declare",
            Self::Fetch => "fetch",
            Self::Close => "close",
            Self::Schema => "schema",
            Self::Truncate => "truncate",
            Self::Lock => "lock",
            Self::Maintain => "maintain",
            Self::Call => "call",
            Self::Explain => "explain",
            Self::Notify => "notify",
            Self::Load => "load",
            Self::Handler => "handler",
            Self::Xa => "xa",
            Self::Kill => "kill",
            Self::Other => "other",
        }
    }

    /// True for INSERT, UPDATE, DELETE and MERGE.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Delete | Self::Merge)
    }

    /// True for what begins or ends a transaction or a part of one. `PREPARE TRANSACTION` has the verb of PREPARE.
    pub const fn controls_transactions(self) -> bool {
        matches!(self, Self::Begin | Self::Commit | Self::Rollback | Self::Savepoint | Self::Xa)
    }

    /// True for SELECT, VALUES and TABLE.
    pub const fn queries(self) -> bool {
        matches!(self, Self::Select | Self::Values | Self::Table)
    }
}
