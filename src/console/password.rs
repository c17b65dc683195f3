//! Generated secrets in `state_dir`: made once, readable by nobody else, never shown.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::config::Secret;

/// Name of the console password's file below `state_dir`.
pub(super) const FILE: &str = "console.password";

/// Characters of a generated password; 6 bits each.
const LENGTH: usize = 32;
/// A longer file is none of ours.
const FILE_BYTES_MAX: u64 = 1024;

/// The secret of a file in `state_dir`, which is made where it is missing or where others could have read or written it.
///
/// # Errors
/// What the system said; nothing is made then.
pub fn read_or_make(state_dir: &Path, file: &str) -> io::Result<(Secret, PathBuf)> {
    make_dir(state_dir)?;
    let path = state_dir.join(file);
    if let Some(secret) = read(&path)? {
        return Ok((Secret::new(secret), path));
    }
    let secret = generate()?;
    write(&path, &secret)?;
    tracing::info!(path = %path.display(), "secret generated");
    Ok((Secret::new(secret), path))
}

/// Makes a folder that is ours alone, where it does not exist.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `None` where the file is not to be trusted or not there.
fn read(path: &Path) -> io::Result<Option<String>> {
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let file = match OpenOptions::new().read(true).custom_flags(nofollow).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = file.metadata()?;
    let ours = meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0;
    let mut text = String::new();
    if ours {
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    }
    let password = text.trim_end();
    if password.len() < LENGTH {
        tracing::warn!(path = %path.display(), "secret replaced: others could read it, or it is too short");
        return Ok(None);
    }
    Ok(Some(password.to_owned()))
}

/// Whoever reads the file sees all of it or nothing: it is written aside and renamed.
fn write(path: &Path, secret: &str) -> io::Result<()> {
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = fill(file, secret).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // What went wrong before is what is told.
        _ = fs::remove_file(&aside);
    }
    written
}

fn fill(mut file: fs::File, secret: &str) -> io::Result<()> {
    writeln!(file, "{secret}")?;
    file.sync_all()
}

fn generate() -> io::Result<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = [0u8; LENGTH];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_file_is_ours_alone_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let (first, path) = read_or_make(&state, FILE).unwrap();
        assert_eq!(first.reveal().len(), LENGTH);
        assert!(first.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read_or_make(&state, FILE).unwrap().0, first);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    }

    #[test]
    fn two_are_never_the_same() {
        assert_ne!(generate().unwrap(), generate().unwrap());
    }

    #[test]
    fn a_file_that_others_can_read_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, "x".repeat(LENGTH)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (password, path) = read_or_make(dir.path(), FILE).unwrap();
        assert_ne!(password.reveal(), "x".repeat(LENGTH));
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }

    /// What was written aside stayed for ever, with each start by another process one more.
    #[test]
    fn what_could_not_take_its_place_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(FILE).join("in the way")).unwrap();
        assert!(write(&dir.path().join(FILE), "secret").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("other"), "x".repeat(LENGTH)).unwrap();
        symlink(dir.path().join("other"), dir.path().join(FILE)).unwrap();
        assert!(read_or_make(dir.path(), FILE).is_err());
    }
}
