//! The words of MySQL's SQL that the lexer acts on.

use crate::sql::lexer::keyword::{self, Word};
use crate::sql::verb::Verb;

/// The word spelt by `text`, which is in lower case.
pub(super) fn word(text: &[u8]) -> Word {
    if let Some(word) = own(text) {
        return word;
    }
    match keyword::word(text) {
        Word::Plain if CLAUSES.binary_search(&text).is_ok() => Word::Clause,
        other => other,
    }
}

/// Where MySQL differs from PostgreSQL.
fn own(text: &[u8]) -> Option<Word> {
    Some(match text {
        b"replace" => Word::Insert,
        b"desc" | b"describe" => Word::Explain,
        b"xor" => Word::Or,
        b"if" => Word::If,
        b"loop" | b"repeat" => Word::Loop,
        b"while" => Word::While,
        b"row" => Word::Row,
        b"load" => Word::Start(Verb::Load),
        b"handler" => Word::Start(Verb::Handler),
        b"xa" => Word::Start(Verb::Xa),
        b"kill" => Word::Start(Verb::Kill),
        b"use" => Word::Start(Verb::Set),
        b"unlock" => Word::Start(Verb::Lock),
        b"rename" | b"install" | b"uninstall" => Word::Start(Verb::Schema),
        b"flush" | b"optimize" | b"check" | b"repair" | b"checksum" | b"purge" | b"cache" => {
            Word::Start(Verb::Maintain)
        }
        b"div" | b"mod" | b"regexp" | b"rlike" | b"collate" | b"separator" | b"escape" | b"binary" | b"sounds" => {
            Word::Prefix
        }
        b"against" | b"names" | b"comment" | b"identified" | b"soname" | b"outfile" | b"dumpfile" | b"infile"
        | b"terminated" | b"enclosed" | b"escaped" | b"starting" | b"lines" | b"path" | b"engine" | b"password"
        | b"charset" | b"connection" | b"directory" => Word::Prefix,
        b"datetime" | b"year" | b"int" | b"integer" | b"bigint" | b"double" | b"real" | b"varbinary" | b"nchar"
        | b"nvarchar" | b"tinyint" | b"smallint" | b"mediumint" | b"dec" | b"fixed" | b"enum" => Word::Type,
        // Statements and constructs of PostgreSQL.
        b"copy" | b"listen" | b"notify" | b"unlisten" | b"vacuum" | b"move" | b"cluster" | b"refresh" | b"reindex"
        | b"discard" | b"reassign" | b"security" | b"abort" | b"checkpoint" | b"merge" | b"array" | b"unnest"
        | b"stdin" | b"ilike" | b"jsonb" | b"bytea" | b"inet" | b"materialized" | b"zone" | b"off" => Word::Plain,
        _ => return None,
    })
}

/// Keywords that facts look at, sorted.
const CLAUSES: &[&[u8]] = &[
    b"asc",
    b"character",
    b"cross",
    b"delayed",
    b"distinctrow",
    b"dual",
    b"dumpfile",
    b"duplicate",
    b"examined",
    b"exists",
    b"force",
    b"group",
    b"high_priority",
    b"ignore",
    b"index",
    b"inner",
    b"into",
    b"join",
    b"key",
    b"last",
    b"left",
    b"local",
    b"low_priority",
    b"mode",
    b"natural",
    b"nowait",
    b"of",
    b"oj",
    b"order",
    b"outer",
    b"over",
    b"partition",
    b"prev",
    b"procedure",
    b"quick",
    b"read",
    b"recursive",
    b"right",
    b"rollup",
    b"rows",
    b"share",
    b"skip",
    b"sql_big_result",
    b"sql_buffer_result",
    b"sql_cache",
    b"sql_calc_found_rows",
    b"sql_no_cache",
    b"sql_small_result",
    b"straight_join",
    b"system_time",
    b"wait",
    b"window",
    b"work",
];

/// True for a character set that may stand before a string, as in `_utf8mb4'…'`.
pub(super) fn is_charset(word: &[u8]) -> bool {
    let Some((b'_', name)) = word.split_first() else { return false };
    CHARSETS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

const CHARSETS: &[&[u8]] = &[
    b"armscii8",
    b"ascii",
    b"big5",
    b"binary",
    b"cp1250",
    b"cp1251",
    b"cp1256",
    b"cp1257",
    b"cp850",
    b"cp852",
    b"cp866",
    b"cp932",
    b"dec8",
    b"eucjpms",
    b"euckr",
    b"gb18030",
    b"gb2312",
    b"gbk",
    b"geostd8",
    b"greek",
    b"hebrew",
    b"hp8",
    b"keybcs2",
    b"koi8r",
    b"koi8u",
    b"latin1",
    b"latin2",
    b"latin5",
    b"latin7",
    b"macce",
    b"macroman",
    b"sjis",
    b"swe7",
    b"tis620",
    b"ucs2",
    b"ujis",
    b"utf16",
    b"utf16le",
    b"utf32",
    b"utf8",
    b"utf8mb3",
    b"utf8mb4",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_clauses_is_sorted() {
        assert!(CLAUSES.is_sorted());
        assert_eq!(word(b"straight_join"), Word::Clause);
        assert_eq!(word(b"orders"), Word::Plain);
    }
}
