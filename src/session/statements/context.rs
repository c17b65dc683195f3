//! What decides what a text means beside the objects of its database.
//!
//! A literal of a type becomes a value when its text is prepared (`'2026-01-01'::timestamptz` by `TimeZone` and `DateStyle`), and some
//! settings change how a text is cut into words or names are looked up. Two clients with different ones share no statement. Nor does who has
//! temporary tables: they hide others of their name, which a server that has prepared a text before does not notice.

/// Settings as bytes that are equal where a text means the same: each name and value ends with a NUL, which neither holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Those that the server reports, as it did last: those of a transaction too.
    pub reported: &'a [u8],
    /// The others, as its client's session has them between transactions.
    pub settings: &'a [u8],
    /// The number of its client, while that has temporary tables.
    pub owner: Option<u64>,
    /// Whether the server has these settings when it reads the text.
    pub standing: Standing,
    /// Whether its client keeps what it has prepared.
    pub tenure: Tenure,
}

/// Whether a client keeps what it has prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tenure {
    /// It does, but for what it gives up by name.
    #[default]
    Stays,
    /// Its transaction may run something that ends all of it.
    MayEnd,
}

/// Whether what a server reported last is what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It is.
    #[default]
    Settled,
    /// A function that may set something is on its way in front of the text: see `Context::of_text`.
    Doubtful,
    /// Something that sets is on its way in front of the text: nobody can tell what that will mean, so it is for its client alone.
    Unsettled,
}

impl Context<'_> {
    /// True where its client has tables of its own: what it drops is most likely one of them, which nobody else has seen.
    pub const fn is_private(self) -> bool {
        self.owner.is_some()
    }

    /// True where texts are not read under settings that anybody knows.
    pub fn is_unsettled(self) -> bool {
        self.standing == Standing::Unsettled
    }

    /// The same for this text and its types. What a function may set matters where there are literals that it may change; names that
    /// it may change are looked up by the server whenever it runs the statement.
    pub(super) fn of_text(self, body: &[u8]) -> Self {
        let standing = match self.standing {
            Standing::Doubtful if has_literal(body) => Standing::Unsettled,
            Standing::Doubtful => Standing::Settled,
            known => known,
        };
        Self { standing, ..self }
    }

    /// What the server had reported when a text was prepared under the context that this is of; `None` where nobody knew.
    pub(super) fn reported_in(written: &[u8]) -> Option<&[u8]> {
        let (size, rest) = written.split_first_chunk::<4>()?;
        let (owner, reported) =
            (written.last_chunk::<8>()?, rest.get(..usize::try_from(u32::from_be_bytes(*size)).ok()?)?);
        (u64::from_be_bytes(*owner) & OF_ITS_OWN == 0).then_some(reported)
    }

    /// That of one text, which no other has.
    pub(super) fn of_its_own(self, number: u64) -> Self {
        Self { owner: Some(number | OF_ITS_OWN), standing: Standing::Settled, ..self }
    }

    /// True where this is what [`Context::write`] writes.
    pub(super) fn is_written(self, bytes: &[u8]) -> bool {
        let rest = [self.reported, self.settings]
            .into_iter()
            .try_fold(bytes, |rest, part| rest.strip_prefix(&size(part))?.strip_prefix(part));
        rest == Some(self.owner().as_slice())
    }

    /// Writes it, so that no other followed by any text is the same.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for part in [self.reported, self.settings] {
            out.extend_from_slice(&size(part));
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&self.owner());
    }

    /// Sessions are counted from 1.
    fn owner(self) -> [u8; 8] {
        self.owner.unwrap_or_default().to_be_bytes()
    }
}

/// May settings that a server reports change what a text and its types are read as?
pub(super) fn depends_on_settings(body: &[u8]) -> bool {
    has_literal(body) || !body.is_ascii()
}

/// In quotes, or in dollars; a `$1` is none.
fn has_literal(body: &[u8]) -> bool {
    let begins_tag = |byte: u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || b"$_".contains(&byte);
    let quotes = |two: &[u8]| matches!(two, [b'\'', _]) || matches!(two, [b'$', next] if begins_tag(*next));
    body.windows(2).any(quotes)
}

/// No client has such a number.
const OF_ITS_OWN: u64 = 1 << 63;

fn size(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_may_set_matters_to_literals_alone() {
        let doubtful = Context { standing: Standing::Doubtful, ..Context::default() };
        for (text, unsettled) in [
            ("SELECT a FROM t WHERE b = $1 AND c = $2", false),
            ("SELECT 1.5", false),
            ("SELECT '2026-01-01'::timestamptz", true),
            ("SELECT $$2026-01-01$$::timestamptz", true),
            ("SELECT $x$2026-01-01$x$::timestamptz", true),
        ] {
            let body = [text.as_bytes(), b"\0\0\0"].concat();
            assert_eq!(doubtful.of_text(&body).is_unsettled(), unsettled, "{text}");
            assert!(!Context::default().of_text(&body).is_unsettled());
        }
    }

    #[test]
    fn a_context_knows_itself_and_no_other() {
        let (none, both) =
            (Context::default(), Context { reported: b"a\0b\0", settings: b"c\0d\0", ..Context::default() });
        let swapped = Context { reported: both.settings, settings: both.reported, ..both };
        let all = [none, both, swapped, Context { owner: Some(1), ..both }, Context { owner: Some(2), ..both }];
        for written in all {
            let mut bytes = Vec::new();
            written.of_its_own(7).write(&mut bytes);
            assert_eq!(Context::reported_in(&bytes), None);
            bytes.clear();
            written.write(&mut bytes);
            for context in all {
                let same = (context.reported, context.owner) == (written.reported, written.owner);
                assert_eq!(context.is_written(&bytes), same, "{context:?} {written:?}");
                assert!(!context.is_written(&[&bytes[..], b"x"].concat()) && !context.is_written(b""));
                assert_eq!(Context::reported_in(&bytes), Some(written.reported));
            }
        }
    }
}
