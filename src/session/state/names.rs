//! The names of settings that a text gives to `set_config`, where they are plain literals.

use crate::sql::facts::Traces;

/// Names with a dot that `set_config` calls of a text give, and what else the calls may leave: the role, where one of them names it, and
/// anything that has a name, the role too, where one does not tell its name.
///
/// What looks like a call in a comment or a literal counts too: a name too many costs a column of a question.
pub fn of_set_config(text: &[u8]) -> (Vec<Box<[u8]>>, Traces) {
    let (mut names, mut left) = (Vec::new(), Traces::NONE);
    let mut rest = text;
    while let Some(at) = find(rest, CALL) {
        rest = rest.get(at.saturating_add(CALL.len())..).unwrap_or_default();
        match literal(rest) {
            Some(name) if name.contains(&DOT) => names.push(name.into()),
            Some(name) if is_role(name) => left = left.and(Traces::ROLE),
            Some(_) => {}
            None => left = left.and(Traces::UNNAMED).and(Traces::ROLE),
        }
    }
    (names, left)
}

/// May this be the name of a setting that the server does not list? It has a dot, and nothing but letters, digits and underscores around that.
pub fn may_be_dotted(name: &[u8]) -> bool {
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.len() <= NAME_MAX && name.first().is_some_and(begins) && name.contains(&DOT) && name.iter().all(is_plain)
}

/// `pg_settings` lists neither of them.
fn is_role(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"role") || name.eq_ignore_ascii_case(b"session_authorization")
}

const CALL: &[u8] = b"set_config";
const DOT: u8 = b'.';

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}

/// The literal that is the first argument; `None` where it is anything but letters, digits, underscores and dots in quotes.
fn literal(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"\"").unwrap_or(text).trim_ascii_start();
    let text = text.strip_prefix(b"(")?.trim_ascii_start().strip_prefix(b"'")?;
    let end = text.iter().position(|&byte| byte == b'\'')?;
    let (name, after) = text.split_at_checked(end)?;
    let ends = matches!(after.get(1..)?.trim_ascii_start().first(), Some(b',' | b':'));
    (ends && name.iter().all(is_plain)).then_some(name)
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// As long as an identifier may be, and a dot with another one.
const NAME_MAX: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_like_a_setting_of_ones_own_may_be_one() {
        let long = "a.".repeat(64);
        for (name, may) in
            [("app.x", true), ("_a.B_2", true), ("work_mem", false), ("1.5", false), ("a.b c", false), (&*long, false)]
        {
            assert_eq!(may_be_dotted(name.as_bytes()), may, "{name}");
        }
    }

    const UNTOLD: Traces = Traces::UNNAMED.and(Traces::ROLE);

    #[test]
    fn plain_names_are_told_and_others_are_not() {
        let table: [(&str, &[&str], Traces); 12] = [
            ("SELECT set_config('app.tenant', $1, false)", &["app.tenant"], Traces::NONE),
            (
                "SELECT SET_CONFIG ( 'a.b'::text , 'x', false), set_config('work_mem', '1MB', false)",
                &["a.b"],
                Traces::NONE,
            ),
            ("SELECT \"set_config\"('a.b', 'x', false)", &["a.b"], Traces::NONE),
            ("SELECT 1", &[], Traces::NONE),
            ("SELECT set_config($1, $2, false)", &[], UNTOLD),
            ("SELECT set_config('a.' || 'b', 'x', false)", &[], UNTOLD),
            ("SELECT set_config('a.b', 'x', false), set_config(n, 'x', false) FROM t", &["a.b"], UNTOLD),
            ("SELECT set_config('a''.b', 'x', false)", &[], UNTOLD),
            ("SELECT set_config(/* x */ 'a.b', 'x', false)", &[], UNTOLD),
            ("SELECT set_config('role', $1, false)", &[], Traces::ROLE),
            ("SELECT set_config('a.b', 'x', false), set_config('ROLE', 'x', false)", &["a.b"], Traces::ROLE),
            ("SELECT set_config('session_authorization', 'x', false)", &[], Traces::ROLE),
        ];
        for (text, names, left) in table {
            let names: Vec<Box<[u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
            assert_eq!(of_set_config(text.as_bytes()), (names, left), "{text}");
        }
    }
}
