//! `pgbouncer.ini`: sections, `key = value`, comments that begin with `;` or `#`, and `%include`.

use std::path::Path;

use super::{Failed, Place, ReadFile};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
    /// A later `[pgbouncer]` has put it back to its default.
    pub(super) forgotten: bool,
}

/// Files inside each other, as PgBouncer has it.
const DEPTH_MAX: usize = 10;

/// The keys of a file and of what it includes, in order.
pub(super) fn read(path: &Path, open: ReadFile<'_>) -> Result<Vec<Entry>, Failed> {
    let mut reader = Reader { entries: Vec::new(), section: String::new(), open };
    reader.file(path, 0)?;
    Ok(reader.entries)
}

struct Reader<'a> {
    entries: Vec<Entry>,
    section: String,
    open: ReadFile<'a>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), Failed> {
        let unreadable = |error| Failed::Unreadable { path: path.display().to_string(), error };
        let text = (self.open)(path).map_err(unreadable)?;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let place = Place { file: path.to_owned(), line: index + 1 };
            self.line(line.trim(), place, depth)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str, place: Place, depth: usize) -> Result<(), Failed> {
        let malformed = |place, reason: &str| Err(Failed::Malformed { place, reason: reason.to_owned() });
        if line.is_empty() || line.starts_with([';', '#']) {
            return Ok(());
        }
        if let Some(included) = line.strip_prefix("%include") {
            if depth >= DEPTH_MAX {
                return malformed(place, "files include each other too deep");
            }
            // As PgBouncer looks for it: from the folder that it runs in; here from that of the file.
            let folder = place.file.parent().unwrap_or_else(|| Path::new(""));
            return self.file(&folder.join(included.trim()), depth + 1);
        }
        if let Some(section) = line.strip_prefix('[') {
            let Some(name) = section.strip_suffix(']') else { return malformed(place, "a section without its \"]\"") };
            self.begin(name.trim());
            return Ok(());
        }
        let Some((key, value)) = line.split_once('=') else {
            return malformed(place, "neither a section nor \"key = value\"");
        };
        let (key, value) = (unquoted(key.trim()), value.trim().to_owned());
        self.entries.push(Entry { section: self.section.clone(), key, value, place, forgotten: false });
        Ok(())
    }

    /// Each `[pgbouncer]` begins from PgBouncer's defaults, whatever one before it has set (1.18 and 1.26 do so).
    fn begin(&mut self, section: &str) {
        section.clone_into(&mut self.section);
        if !section.eq_ignore_ascii_case("pgbouncer") {
            return;
        }
        let earlier = self.entries.iter_mut().filter(|entry| entry.section.eq_ignore_ascii_case(section));
        earlier.filter(|entry| !WITHOUT_DEFAULT.contains(&entry.key.as_str())).for_each(|entry| entry.forgotten = true);
    }
}

/// Keys of `[pgbouncer]` that have no default to go back to.
const WITHOUT_DEFAULT: [&str; 11] = [
    "auth_dbname",
    "auth_file",
    "auth_ident_file",
    "auth_ldap_options",
    "auth_user",
    "client_tls13_ciphers",
    "conffile",
    "server_tls13_ciphers",
    "service_name",
    "user",
    "verbose",
];

/// Names of databases may stand in double quotes, as the manual has it, or in single ones, as PgBouncer 1.26 takes them.
fn unquoted(key: &str) -> String {
    let within = |quote: char| key.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (within('"'), within('\'')) {
        (Some(inside), _) => inside.replace("\"\"", "\""),
        (None, Some(inside)) => inside.to_owned(),
        (None, None) => key.to_owned(),
    }
}
