//! `search_path`: where the server looks for a table that is named without its schema.

/// The schemas of a session's `search_path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum SearchPath {
    /// Nobody can tell: the session may have changed it.
    #[default]
    Unknown,
    /// These, in order.
    Known(Box<[Box<str>]>),
}

impl SearchPath {
    /// Reads the setting as the server stores it, for one role: `"$user", public`.
    pub fn parse(setting: &str, role: &str) -> Self {
        let mut schemas: Vec<Box<str>> = Vec::new();
        for name in Names(setting) {
            let name = if name == "$user" { role.to_owned() } else { name };
            if schemas.len() < SCHEMAS_MAX && !name.is_empty() && !schemas.iter().any(|known| **known == *name) {
                schemas.push(name.into());
            }
        }
        Self::Known(schemas.into())
    }

    /// The same without the schemas that `is_there` denies: the server passes over them.
    #[must_use]
    pub fn only(self, is_there: impl Fn(&str) -> bool) -> Self {
        match self {
            Self::Known(schemas) => Self::Known(schemas.into_iter().filter(|schema| is_there(schema)).collect()),
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The names of a list, unquoted, those without quotes in lower case.
struct Names<'a>(&'a str);

impl Iterator for Names<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0 = self.0.trim_start();
        if self.0.is_empty() {
            return None;
        }
        let mut name = String::new();
        let mut quoted = false;
        let mut end = self.0.len();
        for (at, letter) in self.0.char_indices() {
            match letter {
                '"' => {
                    // Two in a row are one letter of the name.
                    if !quoted && self.0[..at].ends_with('"') {
                        name.push('"');
                    }
                    quoted = !quoted;
                }
                ',' if !quoted => {
                    end = at;
                    break;
                }
                letter if quoted => name.push(letter),
                letter if letter.is_whitespace() => {}
                letter => name.extend(letter.to_lowercase()),
            }
        }
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(name)
    }
}

/// Longer paths are cut: nobody has them.
const SCHEMAS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_server_stores_them() {
        let table = [
            ("\"$user\", public", &["app", "public"][..]),
            ("$user,public", &["app", "public"]),
            ("Small , \"Odd, \"\"name\"", &["small", "Odd, \"name"]),
            ("\"\"", &[]),
            ("", &[]),
            ("a, b, a", &["a", "b"]),
        ];
        for (setting, expected) in table {
            let expected = SearchPath::Known(expected.iter().map(|&name| name.into()).collect());
            assert_eq!(SearchPath::parse(setting, "app"), expected, "{setting}");
        }
    }

    #[test]
    fn schemas_that_are_not_there_are_passed_over() {
        let path = SearchPath::parse("\"$user\", public", "app").only(|schema| schema == "public");
        assert_eq!(path, SearchPath::Known(["public".into()].into()));
        assert_eq!(SearchPath::Unknown.only(|_| true), SearchPath::Unknown);
    }
}
