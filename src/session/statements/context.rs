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
    /// True where this is what [`Context::write`] writes.
    pub(super) fn is_written(self, bytes: &[u8]) -> bool {
        let rest = [self.reported, self.settings]
            .into_iter()
            .try_fold(bytes, |rest, part| rest.strip_prefix(&size(part))?.strip_prefix(part));
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// Writes it, so that no other followed by any text is the same.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for part in [self.reported, self.settings] {
            out.extend_from_slice(&size(part));
            out.extend_from_slice(part);
        }
    }
}

fn size(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_knows_itself_and_no_other() {
        let (none, both) = (Context::default(), Context { reported: b"a\0b\0", settings: b"c\0d\0" });
        let swapped = Context { reported: both.settings, settings: both.reported };
        for written in [none, both, swapped] {
            let mut bytes = Vec::new();
            written.write(&mut bytes);
            for context in [none, both, swapped] {
                let same = context.reported == written.reported;
                assert_eq!(context.is_written(&bytes), same, "{context:?} {written:?}");
                assert!(!context.is_written(&[&bytes[..], b"x"].concat()) && !context.is_written(b""));
            }
        }
    }
}
