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
    /// A byte from 0xa1 to 0xf9 begins a pair: BIG5 as MySQL has it.
    Big5,
    /// Every byte stands alone, and 0xa0 is white space: latin1 and its like, to MySQL.
    Latin,
}

impl Encoding {
    /// All that a client of PostgreSQL may have.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Pairs, Self::ShiftJis];

    /// That of a MySQL session, by its `character_set_client`.
    pub fn of_mysql(charset: &str) -> Self {
        match charset.to_ascii_lowercase().as_str() {
            "gbk" | "gb18030" => Self::Pairs,
            "sjis" | "cp932" => Self::ShiftJis,
            "big5" => Self::Big5,
            "latin1" | "latin2" | "latin5" | "latin7" | "cp1250" | "hebrew" | "greek" | "dec8" | "armscii8"
            | "geostd8" => Self::Latin,
            _ => Self::Safe,
        }
    }

    /// The text with the second half of each pair moved beyond 0x7f, where it can be taken for nothing else, and white
    /// space beyond it moved below. Its length stays.
    ///
    /// No second half is below 0x40: there MySQL takes the first for a character of its own, so that a quote behind it
    /// is one. PostgreSQL refuses such a text.
    pub fn disarm(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Safe || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut disarmed = text.to_vec();
        if self == Self::Latin {
            disarmed.iter_mut().filter(|byte| **byte == 0xa0).for_each(|byte| *byte = b' ');
            return Cow::Owned(disarmed);
        }
        let mut at = 0;
        while let Some(&byte) = disarmed.get(at) {
            at += 1;
            if self.begins_pair(byte)
                && let Some(second) = disarmed.get_mut(at).filter(|second| **second >= 0x40)
            {
                *second |= 0x80;
                at += 1;
            }
        }
        Cow::Owned(disarmed)
    }

    const fn begins_pair(self, byte: u8) -> bool {
        match self {
            Self::Safe | Self::Latin => false,
            Self::Big5 => matches!(byte, 0xa1..=0xf9),
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
            (Encoding::Pairs, b"'\xbf'", b"'\xbf'"),
            (Encoding::Pairs, b"'\xbf\\'", b"'\xbf\xdc'"),
            (Encoding::Big5, b"'\x81\\'", b"'\x81\\'"),
            (Encoding::Big5, b"'\xa1\\'", b"'\xa1\xdc'"),
            (Encoding::Latin, b"DELETE\xa0FROM t", b"DELETE FROM t"),
        ] {
            assert_eq!(encoding.disarm(text), expected, "{encoding:?} {text:?}");
        }
    }

    #[test]
    fn a_charset_of_mysql_has_its_way_to_make_characters() {
        for (charset, expected) in [
            ("utf8mb4", Encoding::Safe),
            ("binary", Encoding::Safe),
            ("GBK", Encoding::Pairs),
            ("cp932", Encoding::ShiftJis),
            ("big5", Encoding::Big5),
            ("latin1", Encoding::Latin),
        ] {
            assert_eq!(Encoding::of_mysql(charset), expected, "{charset}");
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
