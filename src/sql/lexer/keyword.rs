//! The words that the lexer acts on; every other word is a name to it.

use crate::sql::verb::Verb;

/// A word that means something to the lexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A name, or a keyword that changes nothing here.
    Plain,
    /// `id` or `pk`: names that are taken for a key which is never negative.
    Key,
    /// A type name: a string after it is a typed literal, numbers in its parentheses are its size.
    Type,
    /// Starts a statement, and means nothing else anywhere.
    Start(Verb),
    Select,
    Values,
    Table,
    Insert,
    Update,
    Delete,
    Merge,
    With,
    Explain,
    Prepare,
    Declare,
    Copy,
    Create,
    Analyze,
    Execute,
    Fetch,
    Begin,
    End,
    Set,
    All,
    And,
    Any,
    Array,
    As,
    Atomic,
    By,
    Case,
    Cast,
    Default,
    Else,
    False,
    First,
    For,
    From,
    Having,
    In,
    Is,
    Like,
    Limit,
    Materialized,
    Not,
    Null,
    Off,
    On,
    Or,
    Stdin,
    Then,
    True,
    Unnest,
    When,
    Where,
    /// Other reserved words after which an expression may begin.
    Prefix,
    /// MySQL's `IF`, where it is no function.
    If,
    /// MySQL's `LOOP` and `REPEAT`.
    Loop,
    /// MySQL's `WHILE`.
    While,
    /// MySQL's `ROW`.
    Row,
    /// A keyword that only facts look at. Where names keep their case, it does not.
    Clause,
}

/// The word spelt by `text`, which is in lower case.
pub(super) fn word(text: &[u8]) -> Word {
    match text.len() {
        2 => two(text),
        3 => three(text),
        4 => four(text),
        5 => five(text),
        6 => six(text),
        7 => seven(text),
        8 => eight(text),
        9..=12 => long(text),
        _ => Word::Plain,
    }
}

fn two(text: &[u8]) -> Word {
    match text {
        b"id" | b"pk" => Word::Key,
        b"as" => Word::As,
        b"by" => Word::By,
        b"do" => Word::Start(Verb::Call),
        b"in" => Word::In,
        b"is" => Word::Is,
        b"on" => Word::On,
        b"or" => Word::Or,
        _ => Word::Plain,
    }
}

fn three(text: &[u8]) -> Word {
    match text {
        b"all" => Word::All,
        b"and" => Word::And,
        b"any" => Word::Any,
        b"end" => Word::End,
        b"for" => Word::For,
        b"not" => Word::Not,
        b"off" => Word::Off,
        b"set" => Word::Set,
        b"bit" => Word::Type,
        _ => Word::Plain,
    }
}

fn four(text: &[u8]) -> Word {
    match text {
        b"case" => Word::Case,
        b"cast" => Word::Cast,
        b"copy" => Word::Copy,
        b"else" => Word::Else,
        b"from" => Word::From,
        b"like" => Word::Like,
        b"next" => Word::First,
        b"null" => Word::Null,
        b"some" => Word::Any,
        b"then" => Word::Then,
        b"true" => Word::True,
        b"when" => Word::When,
        b"with" => Word::With,
        b"call" => Word::Start(Verb::Call),
        b"drop" => Word::Start(Verb::Schema),
        b"load" => Word::Start(Verb::Other),
        b"lock" => Word::Start(Verb::Lock),
        b"move" => Word::Start(Verb::Fetch),
        b"show" => Word::Start(Verb::Set),
        b"char" | b"date" | b"time" | b"zone" | b"json" | b"uuid" | b"inet" | b"bool" => Word::Type,
        _ => Word::Plain,
    }
}

fn five(text: &[u8]) -> Word {
    match text {
        b"array" => Word::Array,
        b"begin" => Word::Begin,
        b"fetch" => Word::Fetch,
        b"false" => Word::False,
        b"first" => Word::First,
        b"ilike" => Word::Like,
        b"limit" => Word::Limit,
        b"merge" => Word::Merge,
        b"stdin" => Word::Stdin,
        b"table" => Word::Table,
        b"where" => Word::Where,
        b"abort" => Word::Start(Verb::Rollback),
        b"alter" | b"grant" => Word::Start(Verb::Schema),
        b"close" => Word::Start(Verb::Close),
        b"reset" => Word::Start(Verb::Set),
        b"start" => Word::Start(Verb::Begin),
        b"jsonb" | b"bytea" | b"float" => Word::Type,
        b"union" | b"using" => Word::Prefix,
        _ => Word::Plain,
    }
}

fn six(text: &[u8]) -> Word {
    match text {
        b"atomic" => Word::Atomic,
        b"create" => Word::Create,
        b"delete" => Word::Delete,
        b"having" => Word::Having,
        b"insert" => Word::Insert,
        b"select" => Word::Select,
        b"unnest" => Word::Unnest,
        b"update" => Word::Update,
        b"values" => Word::Values,
        b"commit" => Word::Start(Verb::Commit),
        b"import" | b"revoke" => Word::Start(Verb::Schema),
        // The server takes either for the client.
        b"stdout" => Word::Stdin,
        b"listen" | b"notify" => Word::Start(Verb::Notify),
        b"vacuum" => Word::Start(Verb::Maintain),
        b"timetz" | b"bpchar" | b"varbit" => Word::Type,
        b"offset" | b"except" => Word::Prefix,
        _ => Word::Plain,
    }
}

fn seven(text: &[u8]) -> Word {
    match text {
        b"analyze" | b"analyse" => Word::Analyze,
        b"between" => Word::Prefix,
        b"declare" => Word::Declare,
        b"default" => Word::Default,
        b"execute" => Word::Execute,
        b"explain" => Word::Explain,
        b"prepare" => Word::Prepare,
        b"cluster" | b"comment" | b"refresh" | b"reindex" => Word::Start(Verb::Schema),
        b"discard" => Word::Start(Verb::Set),
        b"release" => Word::Start(Verb::Savepoint),
        b"boolean" | b"decimal" | b"numeric" | b"varchar" | b"varying" => Word::Type,
        _ => Word::Plain,
    }
}

fn eight(text: &[u8]) -> Word {
    match text {
        b"distinct" => Word::Prefix,
        b"rollback" => Word::Start(Verb::Rollback),
        b"security" | b"reassign" => Word::Start(Verb::Schema),
        b"truncate" => Word::Start(Verb::Truncate),
        b"unlisten" => Word::Start(Verb::Notify),
        b"interval" => Word::Type,
        _ => Word::Plain,
    }
}

fn long(text: &[u8]) -> Word {
    match text {
        b"character" | b"timestamp" | b"timestamptz" => Word::Type,
        b"checkpoint" => Word::Start(Verb::Maintain),
        b"deallocate" => Word::Start(Verb::Deallocate),
        b"materialized" => Word::Materialized,
        b"returning" | b"intersect" => Word::Prefix,
        b"savepoint" => Word::Start(Verb::Savepoint),
        _ => Word::Plain,
    }
}

impl Word {
    /// The verb of a statement that starts with this word; `None` where it takes more to know it.
    pub(super) const fn verb(self) -> Verb {
        match self {
            Self::Start(verb) => verb,
            Self::Select => Verb::Select,
            Self::Values => Verb::Values,
            Self::Table => Verb::Table,
            Self::Insert => Verb::Insert,
            Self::Update => Verb::Update,
            Self::Delete => Verb::Delete,
            Self::Merge => Verb::Merge,
            Self::Copy => Verb::Copy,
            Self::Create => Verb::Schema,
            Self::Analyze => Verb::Maintain,
            Self::Execute => Verb::Execute,
            Self::Fetch => Verb::Fetch,
            Self::Begin => Verb::Begin,
            Self::End => Verb::Commit,
            Self::Set => Verb::Set,
            Self::Explain => Verb::Explain,
            Self::Prepare => Verb::Prepare,
            Self::Declare => Verb::Declare,
            _ => Verb::Other,
        }
    }

    /// True for a word that a value may follow at once, so that a sign after it belongs to the value.
    pub(super) const fn precedes_value(self) -> bool {
        !matches!(
            self,
            Self::Plain | Self::Key | Self::Type | Self::End | Self::Null | Self::True | Self::False | Self::Clause
        )
    }
}
