//! The settings that a client's start-up packet asks for.
//!
//! Sources: `pg_split_opts` (`postinit.c`), `process_postgres_switches` (`postgres.c`) and `ParseLongOption` (`guc.c`).

use super::settings::{Settings, TooMany};

/// Why the settings of a start-up packet cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// `options` has a switch other than `-c name=value` and `--name=value`.
    #[error("\"options\" may hold -c name=value and --name=value only")]
    Switch,
    /// They are too many.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// Parameters that are no settings.
const NO_SETTINGS: [&[u8]; 3] = [b"user", b"database", b"replication"];

/// The settings of a start-up packet: those in `options` first, as in the server, so that others prevail.
///
/// # Errors
/// See [`Unfit`].
pub fn settings<'a>(parameters: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Result<Settings, Unfit> {
    let is_option = |name: &[u8]| name == b"options";
    let mut values: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (_, options) in parameters.clone().filter(|(name, _)| is_option(name)) {
        switches(options, &mut values)?;
    }
    let named =
        parameters.filter(|(name, _)| !is_option(name) && !NO_SETTINGS.contains(name) && !name.starts_with(b"_pq_."));
    values.extend(named.map(|(name, value)| (name.to_vec(), value.to_vec())));
    Ok(Settings::new(values)?)
}

fn switches(options: &[u8], values: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Unfit> {
    let mut words = split(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix(b"-c").or_else(|| word.strip_prefix(b"--")).ok_or(Unfit::Switch)? {
            b"" => words.next().ok_or(Unfit::Switch)?,
            setting => setting.to_vec(),
        };
        let equals = setting.iter().position(|&byte| byte == b'=').ok_or(Unfit::Switch)?;
        let (name, value) = setting.split_at_checked(equals).ok_or(Unfit::Switch)?;
        let underscored = |&byte: &u8| if byte == b'-' { b'_' } else { byte };
        values.push((name.iter().map(underscored).collect(), value.get(1..).unwrap_or_default().to_vec()));
    }
    Ok(())
}

/// Parts at white space; a backslash takes what follows it as it is.
fn split(options: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = options.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            // What C's isspace knows.
            b' ' | b'\t'..=b'\r' => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Vec<(String, String)>, Unfit> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let settings = settings(parameters.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))?;
        Ok(settings.iter().map(|setting| (text(&setting.name), text(&setting.value))).collect())
    }

    #[test]
    fn parameters_are_settings_and_prevail_over_options() {
        let found = read(&[
            ("user", "app"),
            ("database", "shop"),
            ("TimeZone", "UTC"),
            ("_pq_.x", "1"),
            ("options", "-c timezone=PST -cwork_mem=1MB --search-path=a,\\ b  -c app.x=it's\\\\"),
        ]);
        let expected = [("app.x", "it's\\"), ("search_path", "a, b"), ("timezone", "UTC"), ("work_mem", "1MB")];
        assert_eq!(found.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(read(&[("options", " \t")]), Ok(Vec::new()));
        assert_eq!(read(&[("options", "-c a=b=c")]).unwrap()[0].1, "b=c");
    }

    #[test]
    fn switches_that_no_session_can_set_are_told() {
        for options in ["-c", "-c a", "-d 5", "-e", "--a", "x", "-S 100"] {
            assert_eq!(read(&[("options", options)]), Err(Unfit::Switch), "{options}");
        }
    }
}
