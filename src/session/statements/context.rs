//! What decides what a text means beside the objects of its database.
//!
//! A literal of a type becomes a value when its text is prepared (`'2026-01-01'::timestamptz` by `TimeZone` and `DateStyle`), and some
//! settings change how a text is cut into words or names are looked up. Two clients with different ones share no statement.

/// Settings as bytes that are equal where a text means the same: each name and value ends with a NUL, which neither holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Those that the server reports, as it did last: those of a transaction too.
    pub reported: &'a [u8],
    /// The others, as its client's session has them between transactions.
    pub settings: &'a [u8],
}

impl Context<'_> {
    /// Writes it, so that no other followed by any text is the same.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for part in [self.reported, self.settings] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
    }
}
