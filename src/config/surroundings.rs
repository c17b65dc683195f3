//! What a configuration takes from outside its file: environment variables, secret files, who runs us, how many cores.
//!
//! All of it comes through one trait, so that tests need no environment.

use std::path::{Path, PathBuf};

use super::Secret;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In that environment variable.
    Env(String),
    /// In that file; white space at its end does not belong to it.
    File(PathBuf),
}

/// The outside world of a configuration.
pub trait Surroundings {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// A secret, or why there is none. The reason never shows the secret.
    fn secret(&self, source: &SecretSource) -> Result<Secret, String>;
    /// True where we run as root.
    fn is_root(&self) -> bool;
    /// Cores that we may use, at least 1.
    fn cores(&self) -> usize;
}

/// The process that we are.
#[derive(Debug, Clone, Copy)]
pub enum Process {
    /// Reads secrets: for `run` and `check`.
    WithSecrets,
    /// Leaves every secret empty: for commands that judge or connect elsewhere, and often run where no secret is.
    WithoutSecrets,
}

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn secret(&self, source: &SecretSource) -> Result<Secret, String> {
        let text = match (self, source) {
            (Self::WithoutSecrets, _) => return Ok(Secret::new("")),
            (Self::WithSecrets, SecretSource::Env(name)) => variable_secret(name)?,
            (Self::WithSecrets, SecretSource::File(path)) => file_secret(path)?,
        };
        Ok(Secret::new(text))
    }

    fn is_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

fn variable_secret(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Err(format!("the environment variable {name} is empty")),
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Err(format!("the environment variable {name} is not set")),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("the environment variable {name} is not UTF-8")),
    }
}

fn file_secret(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8"))?;
    match text.trim_end() {
        "" => Err(format!("{shown} is empty")),
        secret => Ok(secret.to_owned()),
    }
}
