//! Where statements come from.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Failed;

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQL as `psql` reads it.
    Sql,
    /// An export of pg_stat_statements, as CSV with a header or as JSON.
    Statistics,
}

/// A place to read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdin,
    File(PathBuf),
}

/// What was read.
#[derive(Debug)]
pub(super) struct Input {
    /// For people: the path as it was given.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) text: Vec<u8>,
}

impl Source {
    /// The places that these paths name, folders resolved.
    pub(super) fn list(paths: &[PathBuf]) -> Result<Vec<Self>, Failed> {
        let mut sources = Vec::new();
        for path in paths {
            if path == Path::new("-") {
                sources.push(Self::Stdin);
            } else if path.is_dir() {
                sources.extend(migrations(path)?.into_iter().map(Self::File));
            } else {
                path.metadata().map_err(|error| unreadable(path, error))?;
                sources.push(Self::File(path.clone()));
            }
        }
        Ok(sources)
    }

    /// Reads it whole.
    pub(super) fn read(self, kind: Option<Kind>, stdin: &mut impl Read) -> Result<Input, Failed> {
        match self {
            Self::Stdin => {
                let mut text = Vec::new();
                stdin.read_to_end(&mut text).map_err(|error| unreadable(Path::new("standard input"), error))?;
                Ok(Input { name: "stdin".to_owned(), kind: kind.unwrap_or(Kind::Sql), text: without_mark(text) })
            }
            Self::File(path) => {
                let text = std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
                let kind = kind.unwrap_or_else(|| kind_of(&path));
                Ok(Input { name: path.display().to_string(), kind, text: without_mark(text) })
            }
        }
    }
}

/// The `.sql` files of a folder, by name: the order in which migrations run.
fn migrations(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(|error| unreadable(folder, error))?;
    let mut files: Vec<_> =
        entries.iter().map(std::fs::DirEntry::path).filter(|path| has_extension(path, &["sql"])).collect();
    files.retain(|path| path.is_file());
    files.sort();
    if files.is_empty() {
        return Err(Failed::EmptyFolder(folder.display().to_string()));
    }
    Ok(files)
}

fn kind_of(path: &Path) -> Kind {
    if has_extension(path, &["csv", "json", "jsonl", "ndjson"]) { Kind::Statistics } else { Kind::Sql }
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    path.extension().is_some_and(|extension| known.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Some editors begin a file with a byte order mark.
fn without_mark(mut text: Vec<u8>) -> Vec<u8> {
    if text.starts_with("\u{feff}".as_bytes()) {
        text.drain(..3);
    }
    text
}

fn unreadable(path: &Path, error: io::Error) -> Failed {
    Failed::Unreadable { name: path.display().to_string(), error }
}
