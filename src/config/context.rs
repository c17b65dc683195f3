//! What a section of the file may need beside its own keys.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml::Table;

use super::document::Section;
use super::problem::{Fault, SettingError};
use super::surroundings::{SecretSource, Surroundings};
use super::{Secret, value};

/// Which table of rules is to be checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RulesTable<'a> {
    /// `[rules]`.
    Base(&'a Table),
    /// `rules` of a `[[client]]`.
    Override(&'a Table),
}

/// Checks a table of rules: the registry of rules stands behind it.
pub type RulesCheck<'a> = dyn Fn(RulesTable<'_>) -> Vec<SettingError> + 'a;

/// What a section may need beside its own keys.
pub(super) struct Context<'a> {
    pub(super) surroundings: &'a dyn Surroundings,
    pub(super) rules: &'a RulesCheck<'a>,
    pub(super) folder: &'a Path,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The keys that name the place of a secret.
#[derive(Debug)]
pub(super) struct SecretKeys {
    /// What it is, with its article.
    pub(super) what: &'static str,
    /// Where people would write the secret itself, which is refused.
    pub(super) direct: &'static str,
    pub(super) variable: &'static str,
    pub(super) file: &'static str,
}

const PASSWORD: SecretKeys =
    SecretKeys { what: "a password", direct: "password", variable: "password_env", file: "password_file" };

/// Reads the password of a section from where the section says. `None` where it says nothing or has an error.
pub(super) fn secret(section: &mut Section<'_>, context: &Context<'_>) -> Option<Secret> {
    secret_of(section, context, &PASSWORD)
}

/// The same for any secret.
pub(super) fn secret_of(section: &mut Section<'_>, context: &Context<'_>, keys: &SecretKeys) -> Option<Secret> {
    let SecretKeys { what, direct, variable, file } = keys;
    section.refuse(direct, || {
        Fault::new(format!("{what} does not stand in this file"))
            .advise(format!("name its place in {variable} or {file}"))
    });
    let (named, path) = (section.read(variable, value::text), section.read(file, value::path));
    let (key, source) = match (named, path) {
        (Some(_), Some(_)) => {
            section.error(file, Fault::new(format!("{variable} is given as well")).advise("keep one of the two"));
            return None;
        }
        (Some(named), None) => (variable, SecretSource::Env(named)),
        (None, Some(path)) => {
            let path = context.folder.join(path);
            warn_of_readers(&path, file, section);
            (file, SecretSource::File(path))
        }
        (None, None) => return None,
    };
    context.surroundings.secret(&source).map_err(|reason| section.error(key, Fault::new(reason))).ok()
}

/// Others than the owner and root should not read secrets.
pub(super) fn warn_of_readers(file: &Path, key: &str, section: &Section<'_>) {
    if file.starts_with(HANDED_IN) {
        return;
    }
    let Ok(metadata) = std::fs::metadata(file) else { return };
    if metadata.mode() & 0o007 != 0 {
        let fault = Fault::new(format!("{} can be read or written by every user of this machine", file.display()));
        section.warn(key, fault.advise("it holds secrets: chmod 640 or 600"));
    }
}

/// Where engines of containers put secrets, with mode 0444: whoever is in there is to read them, and nobody else is there.
const HANDED_IN: &str = "/run/secrets";
