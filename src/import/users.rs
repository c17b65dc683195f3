//! `users.toml`: who may log in.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::text::quoted;
use super::userlist::{self, Secret, User};
use super::{Failed, ReadFile};

/// The file of users.
pub(super) const USERS: &str = "users.toml";

/// Where the users stand.
pub(super) struct Source<'a> {
    pub(super) ini: &'a Path,
    pub(super) userlist: Option<&'a Path>,
    pub(super) read: ReadFile<'a>,
}

/// The users, as far as their file could be read.
pub(super) enum Found {
    Users(Vec<User>),
    Missing(PathBuf),
}

impl Source<'_> {
    /// Reads the file that the command line names, or else `auth_file`. Only the first has to be there.
    pub(super) fn users(&self, auth_file: Option<&str>) -> Result<Option<Found>, Failed> {
        let (path, text) = match (self.userlist, auth_file) {
            (Some(path), _) => (path.to_owned(), (self.read)(path)),
            (None, Some(path)) => self.beside(path),
            (None, None) => return Ok(None),
        };
        match text {
            Ok(text) => userlist::parse(&path, &text).map(Found::Users).map(Some),
            Err(error) if self.userlist.is_some() => {
                Err(Failed::Unreadable { path: path.display().to_string(), error })
            }
            Err(_) => Ok(Some(Found::Missing(path))),
        }
    }

    /// A file that the configuration names, from its folder.
    pub(super) fn beside(&self, file: &str) -> (PathBuf, io::Result<String>) {
        let path = self.ini.parent().unwrap_or_else(|| Path::new("")).join(file);
        let text = (self.read)(&path);
        (path, text)
    }
}

/// The text of `users.toml`.
pub(super) fn text(users: &[User]) -> String {
    let mut out =
        "# The users of login = \"users\", imported from PgBouncer. It holds secrets: keep it at mode 0600.\n"
            .to_owned();
    for (index, user) in users.iter().enumerate() {
        // Of several lines for one user PgBouncer keeps the last.
        if users.iter().skip(index + 1).any(|later| later.name == user.name) {
            continue;
        }
        if user.secret == Secret::None {
            let _ = writeln!(out, "\n# Nobody could log in as {}: it had no password.", quoted(&user.name));
            continue;
        }
        let _ = write!(out, "\n[[user]]\nname = {}\n", quoted(&user.name));
        let _ = match &user.secret {
            Secret::None => Ok(()),
            Secret::Password(password) => writeln!(out, "password = {}", quoted(password)),
            Secret::Md5(md5) => writeln!(out, "md5 = {}", quoted(md5)),
            Secret::Scram(verifier) => writeln!(out, "verifier = {}", quoted(verifier)),
        };
    }
    out
}
