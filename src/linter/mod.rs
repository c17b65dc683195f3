//! The engine of `floodwall judge`: statements in, what each would get and why out.
//!
//! ```text
//! input     files, folders, standard input
//!   script      a file as psql reads it: migrations, dumps
//!   statistics  an export of pg_stat_statements: shapes with calls and rows
//!     finding   reads and judges one statement
//!       print   text for people, JSON for programs
//! ```
//!
//! No server is asked: which tables are large is known from a file (`schema`), or not at all.

mod finding;
mod input;
mod print;
mod schema;
mod script;
mod statistics;

use std::io::{self, Write};
use std::path::PathBuf;

pub use self::input::Kind;
use self::input::{Input, Source};
pub use self::schema::read as read_schema;
use crate::guard::Guard;
use crate::sql::facts::STACK_BYTES;
use crate::sql::{Dialect, Flags, Schema};

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to judge, and how to tell.
#[derive(Debug)]
pub struct Linter<'a> {
    /// The rules.
    pub guard: &'a Guard,
    /// What is known of tables; `None`: nothing.
    pub schema: Option<&'a Schema>,
    /// How statements are read.
    pub dialect: Dialect,
    /// What the inputs are; `None`: `.csv` and `.json` are exports of pg_stat_statements, all else is SQL.
    pub kind: Option<Kind>,
    /// How verdicts are printed.
    pub format: Format,
}

/// How many statements there were, and what they would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Statements in all.
    pub statements: usize,
    /// Those that would be refused.
    pub refused: usize,
    /// Those that pass with a warning.
    pub warned: usize,
}

/// Why there is no verdict. Each names its input, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// An input could not be read.
    #[error("{name}: cannot be read: {error}")]
    Unreadable {
        /// The input.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// A folder without migrations: judging nothing must not look like success.
    #[error("{0}: no .sql file is in this folder")]
    EmptyFolder(String),
    /// An export that is none.
    #[error("{name}:{line}: {reason}")]
    Malformed {
        /// The input.
        name: String,
        /// Where, from 1.
        line: u64,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The verdicts could not be printed, or no thread could be made.
    #[error("cannot print the verdicts: {0}")]
    Output(#[from] io::Error),
}

impl Linter<'_> {
    /// Judges every statement of some files, folders (their `.sql` files, in the order of their names) and, for `-`, of
    /// `stdin`. Prints what each would get, and counts them. All names are looked up before anything is printed.
    ///
    /// # Errors
    /// An input cannot be read or is no export, or `out` takes no more. What was printed until then stands.
    pub fn run(&self, paths: &[PathBuf], stdin: &mut impl io::Read, out: &mut impl Write) -> Result<Outcome, Failed> {
        let mut outcome = Outcome::default();
        for source in Source::list(paths)? {
            self.judge(&source.read(self.kind, stdin)?, out, &mut outcome)?;
        }
        if self.format == Format::Text {
            print::summary(outcome, out)?;
        }
        Ok(outcome)
    }

    fn judge(&self, input: &Input, out: &mut impl Write, outcome: &mut Outcome) -> Result<(), Failed> {
        let flags = Flags::of(self.dialect);
        let findings = on_large_stack(|| match input.kind {
            Kind::Sql => Ok(script::judge(self.guard, self.schema, flags, &input.text)),
            Kind::Statistics => statistics::judge(self.guard, self.schema, flags, input),
        })??;
        for finding in &findings {
            outcome.statements += 1;
            outcome.refused += usize::from(finding.refused.is_some());
            outcome.warned += usize::from(finding.refused.is_none() && !finding.warned.is_empty());
            match self.format {
                Format::Text => print::text(&input.name, finding, out)?,
                Format::Json => print::json(&input.name, finding, out)?,
            }
        }
        Ok(())
    }
}

/// The parser recurses: it gets the stack that it wants.
fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run)?;
        thread.join().map_err(|_| io::Error::other("reading the statements failed"))
    })
}
