//! In how many ways a text may be read.
//!
//! Where a string ends depends on settings of the session, which the server reports when they have changed. Until it has answered
//! what it was sent, one of those statements may have changed them: a text that is read in more than one way is then judged in each,
//! so that a SET in front of it hides nothing.

use super::analyst::Settings;
use crate::sql::encoding::depends_on_settings;
use crate::sql::{Encoding, Flags, Strings};

/// One way to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// What strings mean.
    pub flags: Flags,
    /// How bytes make characters.
    pub encoding: Encoding,
}

impl Default for Manner {
    fn default() -> Self {
        Self { flags: Flags::POSTGRES, encoding: Encoding::Safe }
    }
}

/// The manners in which a text is read, the session's own last.
pub fn manners(text: &[u8], own: Manner, settings: Settings) -> Vec<Manner> {
    let mut all = Vec::new();
    if settings == Settings::InDoubt && depends_on_settings(text) {
        let other = !text.is_ascii();
        for encoding in Encoding::ALL.into_iter().filter(|&encoding| encoding == own.encoding || other) {
            let strings = [Strings::Standard, Strings::Escapes];
            let manners = strings.map(|strings| Manner { flags: own.flags.with_strings(strings), encoding });
            all.extend(manners.into_iter().filter(|&manner| manner != own));
        }
    }
    all.push(own);
    all
}

/// A text that is judged in more than one way.
#[derive(Debug)]
pub struct Doubt {
    /// The text as sent.
    pub text: Box<[u8]>,
    /// What is left, the last one first; the way in which the session reads as far as is known comes last.
    left: Vec<Manner>,
}

impl Doubt {
    /// `None` where every manner reads the text alike.
    pub fn about(text: &[u8], own: Manner) -> Option<Self> {
        let mut left = manners(text, own, Settings::InDoubt);
        left.reverse();
        (left.len() > 1).then(|| Self { text: text.into(), left })
    }

    /// The next manner to read it in.
    pub fn next_manner(&mut self) -> Option<Manner> {
        self.left.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_own_manner_comes_last_and_each_once() {
        let own = Manner { encoding: Encoding::Pairs, ..Manner::default() };
        let all = |text: &[u8]| {
            let mut doubt = Doubt::about(text, own)?;
            Some(std::iter::from_fn(|| doubt.next_manner()).collect::<Vec<_>>())
        };
        assert_eq!(all(b"SELECT 1"), None);
        let ascii = all(b"'\\'").unwrap();
        assert_eq!((ascii.len(), ascii.last()), (2, Some(&own)));
        let other = all(b"'\\\xff'").unwrap();
        assert_eq!((other.len(), other.last()), (6, Some(&own)));
    }
}
