//! What becomes of a password before SCRAM hashes it.
//!
//! PostgreSQL prepares a password by SASLprep (RFC 4013) and takes the bytes as they are where that is not possible: where they
//! are no UTF-8 or hold what SASLprep forbids. The same here, so that both come to the same keys. ASCII stays as it is.

use std::borrow::Cow;

/// Prepares a password as PostgreSQL does.
pub fn prepare(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    match stringprep::saslprep(password) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => Cow::Borrowed(password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepares_what_it_can_and_leaves_the_rest() {
        for (password, expected) in [
            ("pencil", "pencil"),
            ("a b\tc", "a b\tc"),
            ("I\u{ad}X", "IX"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            ("Gr\u{fc}\u{df}e", "Gr\u{fc}\u{df}e"),
            ("a\u{a0}b", "a b"),
            // Forbidden: taken as it is.
            ("\u{627}1", "\u{627}1"),
            ("a\u{ad}\u{7}", "a\u{ad}\u{7}"),
            ("\u{ad}", "\u{ad}"),
        ] {
            assert_eq!(prepare(password), expected, "{password:?}");
        }
    }
}
