//! `floodwall judge`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use floodwall::config::Process;
use floodwall::guard::{Guard, SettingError};
use floodwall::linter::{self, Linter};
use floodwall::sql;

use super::load;

pub(crate) const EXAMPLES: &str = "\
Examples:
  floodwall judge migrations/0042.sql                 one migration
  floodwall judge --config config.toml migrations/    every .sql file of a folder, by name, with the rules of that file
  git show HEAD:db/0042.sql | floodwall judge -       what comes in on standard input
  floodwall judge --format json migrations/ | jq      one object a statement: verdict, tables, trace, hint
  floodwall judge --schema tables.toml queries.sql    with the sizes and keys of tables
  floodwall judge statements.csv                      what a server ran: an export of pg_stat_statements, most calls first

An export, as CSV with a header or as JSON; calls, rows and mean_exec_time may be left out:
  psql -c \"COPY (SELECT query, calls, rows, mean_exec_time FROM pg_stat_statements) TO STDOUT (FORMAT csv, HEADER)\"
Rows a call are held against result_budget and write_budget.

Tables, as --schema reads them:
  [\"public.orders\"]
  rows = 400000
  primary_key = [\"id\"]
  unique = [[\"number\"]]
  not_null = [\"number\"]

Exit code: 0 if nothing would be refused, 1 if something would (see --fail-on), 2 if there is no verdict: wrong arguments,
a file or a configuration that cannot be read.";

#[derive(Debug, clap::Args)]
pub(crate) struct Judge {
    /// How to read the statements
    #[arg(long, value_enum, default_value = "postgres")]
    dialect: Dialect,
    /// The configuration whose [rules] apply; left out: each rule's defaults
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which tables are large, as TOML: ["schema.table"] with rows, primary_key, unique, not_null
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What the files are; left out: .csv and .json are exports of pg_stat_statements, all else is SQL
    #[arg(long, value_enum)]
    input: Option<Input>,
    /// How to print the verdicts
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The least verdict that makes the exit code 1
    #[arg(long, value_enum, default_value = "refuse")]
    fail_on: FailOn,
    /// The statements: files, folders of .sql files, - for standard input
    #[arg(value_name = "FILE|FOLDER|-", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dialect {
    /// PostgreSQL
    Postgres,
    /// MySQL and MariaDB, with their sessions' defaults
    Mysql,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Input {
    /// SQL as psql reads it
    Sql,
    /// An export of pg_stat_statements, as CSV with a header or as JSON
    #[value(name = "pg_stat_statements")]
    PgStatStatements,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Something would be refused
    Refuse,
    /// Something would be refused or warned of
    Warn,
    /// Whatever the verdicts are
    Never,
}

/// Exit code where there is no verdict.
pub(crate) const NO_VERDICT: u8 = 2;

impl Judge {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let rules = match &self.config {
            Some(path) => load(path, Process::WithoutSecrets)?.rules,
            None => toml::Table::new(),
        };
        let guard = Guard::build(&rules).map_err(|errors| {
            let told = |error: SettingError| format!("rules.{}: {}", error.path.join("."), error.message);
            anyhow::anyhow!(errors.into_iter().map(told).collect::<Vec<_>>().join("\n"))
        })?;
        let schema = self.schema.as_deref().map(known_tables).transpose()?;
        let linter = Linter {
            guard: &guard,
            schema: schema.as_ref(),
            dialect: self.dialect.into(),
            kind: self.input.map(Input::kind),
            format: self.format.into(),
        };
        let outcome = linter.run(&self.files, &mut io::stdin().lock(), &mut io::stdout().lock())?;
        Ok(self.fail_on.exit_code(outcome))
    }
}

/// The tables that a file tells of.
fn known_tables(path: &Path) -> anyhow::Result<sql::Schema> {
    use anyhow::Context as _;
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    linter::read_schema(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

impl Input {
    const fn kind(self) -> linter::Kind {
        match self {
            Self::Sql => linter::Kind::Sql,
            Self::PgStatStatements => linter::Kind::Statistics,
        }
    }
}

impl From<Dialect> for sql::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self::Postgres,
            Dialect::Mysql => Self::MySql,
        }
    }
}

impl From<Format> for linter::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

impl FailOn {
    const fn exit_code(self, outcome: linter::Outcome) -> ExitCode {
        let fails = match self {
            Self::Refuse => outcome.refused > 0,
            Self::Warn => outcome.refused > 0 || outcome.warned > 0,
            Self::Never => false,
        };
        if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
