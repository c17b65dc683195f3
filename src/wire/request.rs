//! What a client asks, in the words of any protocol.

use super::Values;

/// What a client's frame asks, as far as anyone but the server needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Run this text.
    Run {
        /// SQL as sent; cut short where the frame was larger than what was held. One of more than 64 KiB ends at its first NUL,
        /// which nobody has looked for.
        text: &'a [u8],
    },
    /// Prepare this text under a name.
    Prepare {
        /// Name of the statement; empty for the unnamed one.
        name: &'a [u8],
        /// SQL as sent; cut short as above.
        text: &'a [u8],
    },
    /// Give a prepared statement its values.
    Bind {
        /// Name of the portal that it makes; empty for the unnamed one.
        portal: &'a [u8],
        /// Name of the statement.
        statement: &'a [u8],
        /// Its values, as far as they are at hand.
        values: Values<'a>,
    },
    /// Run a portal.
    Execute {
        /// Name of the portal; empty for the unnamed one.
        portal: &'a [u8],
        /// Rows that it may send before it pauses; `None`: all.
        rows: Option<u32>,
    },
    /// Call a function by its number, in PostgreSQL's fast path: it has no text, and one value is its answer.
    Call {
        /// What it is given, as far as that is at hand.
        values: Values<'a>,
    },
    /// Send what is ready.
    Flush,
    /// End a pipeline: what it did is committed unless a transaction is open.
    Sync,
    /// Data of a COPY IN.
    Data {
        /// What of it is at hand.
        bytes: &'a [u8],
        /// Bytes of all of it.
        size: u64,
    },
    /// The client has sent all data of a COPY IN.
    DataEnd,
    /// The client gives up a COPY IN.
    DataFail,
    /// Forget a prepared statement.
    Forget {
        /// Name of the statement.
        statement: &'a [u8],
    },
    /// Leave.
    Quit,
    /// Anything else: the server alone understands it.
    Other,
}

impl<'a> Request<'a> {
    /// What of it may take long to read: its SQL, or the values of a Bind, as far as they are at hand.
    pub const fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Run { text } | Self::Prepare { text, .. } => Some(text),
            Self::Bind { values, .. } => Some(values.bytes()),
            _ => None,
        }
    }
}
