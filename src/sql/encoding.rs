//! Client encodings in which a byte below 0x80 may be the second half of a character.
//!
//! The server converts a text before it reads it, so such a byte never ends a literal there: in GBK `E'\x81\x5c'` is a whole
//! literal and not one whose quote is escaped. Source: PostgreSQL manual, "Character Set Support", the encodings that are allowed
//! for clients only.

use std::borrow::Cow;

/// How bytes of a text make characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A byte below 0x80 is always a character of its own: UTF-8 and all encodings that a server may have.
    #[default]
    Safe,
    /// A byte from 0x81 on begins a pair: BIG5, GBK, GB18030, JOHAB and UHC.
    Pairs,
    /// As above, but 0xa0 to 0xdf stand alone: SJIS and SHIFT_JIS_2004.
    ShiftJis,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Pairs, Self::ShiftJis];

    /// The text with the second half of each pair moved beyond 0x7f, where it can be taken for nothing else. Its length stays.
    pub fn disarm(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Safe || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut disarmed = text.to_vec();
        let mut at = 0;
        while let Some(&byte) = disarmed.get(at) {
            at += 1;
            if self.begins_pair(byte) {
                if let Some(second) = disarmed.get_mut(at) {
                    *second |= 0x80;
                }
                at += 1;
            }
        }
        Cow::Owned(disarmed)
    }

    const fn begins_pair(self, byte: u8) -> bool {
        match self {
            Self::Safe => false,
            Self::Pairs => matches!(byte, 0x81..=0xfe),
            Self::ShiftJis => matches!(byte, 0x81..=0x9f | 0xe0..=0xfc),
        }
    }
}

/// May settings of the session change where the literals of this text end? Only a backslash and the tag of a dollar quote can
/// be read in two ways.
pub fn depends_on_settings(text: &[u8]) -> bool {
    text.contains(&b'\\') || (!text.is_ascii() && text.contains(&b'$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_halves_are_disarmed_and_all_else_stays() {
        for (encoding, text, expected) in [
            (Encoding::Safe, &b"E'\x81\\'"[..], &b"E'\x81\\'"[..]),
            (Encoding::Pairs, b"E'\x81\\'", b"E'\x81\xdc'"),
            (Encoding::Pairs, b"$\x81@$", b"$\x81\xc0$"),
            (Encoding::Pairs, b"'\\' plain", b"'\\' plain"),
            (Encoding::ShiftJis, b"\x83\\\xb1\\", b"\x83\xdc\xb1\\"),
            (Encoding::Pairs, b"x\x81", b"x\x81"),
        ] {
            assert_eq!(encoding.disarm(text), expected, "{encoding:?} {text:?}");
        }
    }

    #[test]
    fn few_texts_can_be_read_in_two_ways() {
        assert!(!depends_on_settings(b"SELECT $1, 'it''s'"));
        assert!(!depends_on_settings("SELECT 'größer'".as_bytes()));
        assert!(depends_on_settings(b"SELECT 'C:\\'"));
        assert!(depends_on_settings("SELECT $größer$ ' $größer$".as_bytes()));
    }
}
