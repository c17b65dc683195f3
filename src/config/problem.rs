//! What is wrong with a configuration: a list, since people want to mend all of it at once.

use std::fmt;

/// One thing that is wrong, where it is, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as in `listener[0].bind`; empty where the whole file is meant.
    pub key: String,
    /// Line of the key, counted from 1, or of the section that misses it.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub advice: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// All problems of one file, in the order of its lines. Prints as one line each, `file:line: key: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file as it was named to us.
    pub file: String,
    /// Never empty in an `Err`.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, "")
    }
}

impl Problems {
    /// The same of what keeps nothing from running: `file:line: warning: key: message`.
    pub const fn as_warnings(&self) -> Warnings<'_> {
        Warnings(self)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, kind: &str) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index != 0 {
                f.write_str("\n")?;
            }
            match problem.line {
                Some(line) => write!(f, "{}:{line}: {kind}{problem}", self.file)?,
                None => write!(f, "{}: {kind}{problem}", self.file)?,
            }
        }
        Ok(())
    }
}

/// Problems that are told, and left at that.
#[derive(Debug, Clone, Copy)]
pub struct Warnings<'a>(&'a Problems);

impl fmt::Display for Warnings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print(f, "warning: ")
    }
}

impl std::error::Error for Problems {}

/// What somebody else finds wrong with a part of the file: the rules' registry with a table of rules, the start with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// Keys and indices from that part down, as in `["bulk_write", "max_rows"]`.
    pub path: Vec<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// Why one value is refused; the place is added by whoever read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) advice: Option<String>,
}

impl Fault {
    /// What is wrong, with no advice yet.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }

    /// Adds what to write instead.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What this version cannot do yet, said as such.
pub(super) fn not_yet(what: &str) -> Fault {
    Fault::new(format!("{what} is not in this version yet"))
}

/// The word of `known` that `word` was probably meant to be.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let scored = known.into_iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate));
    scored.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}
