//! What a section of the file may need beside its own keys.

use std::fmt;
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

/// Reads the password of a section from where the section says. `None` where it says nothing or has an error.
pub(super) fn secret(section: &mut Section<'_>, context: &Context<'_>) -> Option<Secret> {
    section.refuse("password", || {
        Fault::new("a password does not stand in this file").advise("name its place in password_env or password_file")
    });
    let variable = section.read("password_env", value::text);
    let file = section.read("password_file", value::path);
    let (key, source) = match (variable, file) {
        (Some(_), Some(_)) => {
            section.error("password_file", Fault::new("password_env is given as well").advise("keep one of the two"));
            return None;
        }
        (Some(variable), None) => ("password_env", SecretSource::Env(variable)),
        (None, Some(file)) => ("password_file", SecretSource::File(context.folder.join(file))),
        (None, None) => return None,
    };
    context.surroundings.secret(&source).map_err(|reason| section.error(key, Fault::new(reason))).ok()
}
