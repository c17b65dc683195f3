//! The command line: arguments, configuration, one call into the library.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use floodwall::config::{self, Config, Loaded, Process};
use floodwall::guard::{Guard, SettingError};
use floodwall::{app, ctl, linter, sql};

/// A guard proxy for PostgreSQL: caps, query rules and surge signals in front of the database.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  floodwall check --config config.toml          is the file right? what does it resolve to?
  floodwall run --config config.toml            stand in front of the server
  psql -h 127.0.0.1 -p 6432 -U app app          connect through it, as to the server itself
  floodwall ctl 'SHOW CLIENTS'                  who is connected?
  floodwall ctl 'KILL CLIENT 17'                end one of them
  floodwall judge migrations/0042.sql           would a rule refuse this migration?

SIGHUP reads the configuration again; SIGTERM drains, a second one ends at once.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the proxy until SIGTERM
    Run {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
        config: PathBuf,
    },
    /// Tells every error of a configuration, or what it resolves to
    ///
    /// Prints the resolved configuration, secrets masked, and exits with 0; or prints all errors, each with file, line
    /// and key, and exits with 1.
    Check {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
        config: PathBuf,
    },
    /// Tells what the rules say to each statement of a file
    ///
    /// Needs no server: a linter for migrations. Without a server no table is known to be large. Exits with 1 if any
    /// statement would be refused, with 2 if the file or the configuration cannot be read.
    Judge(Judge),
    /// Runs one command on the console of a running Floodwall
    ///
    /// Goes to the Unix socket in state_dir; as another system user, over TCP with the password in
    /// FLOODWALL_CONSOLE_PASSWORD or in state_dir/console.password. 'SHOW HELP' lists the commands.
    Ctl(Ctl),
}

#[derive(Debug, clap::Args)]
struct Judge {
    /// How to read the statements
    #[arg(long, value_enum, default_value = "postgres")]
    dialect: Dialect,
    /// The configuration whose [rules] apply; left out: each rule's defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print the verdicts
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The statements; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Ctl {
    /// The configuration of the running Floodwall; left out: config.toml if it is here, otherwise the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Console user; left out: the first [[admin.user]] with role admin, or admin
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// As in 'SHOW CLIENTS'
    command: String,
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

const DEFAULT_FILE: &str = "config.toml";

/// Exit code of `judge` where there is no verdict.
const NO_VERDICT: u8 = 2;

fn main() -> ExitCode {
    let (result, trouble) = match Cli::parse().command {
        Command::Run { config } => (run(config), 1),
        Command::Check { config } => (check(&config), 1),
        Command::Judge(judge) => (judge.run(), NO_VERDICT),
        Command::Ctl(ctl) => (ctl.run(), 1),
    };
    result.unwrap_or_else(|error| {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(io::stderr(), "{error:#}");
        ExitCode::from(trouble)
    })
}

fn run(config_path: PathBuf) -> anyhow::Result<ExitCode> {
    let config = load(&config_path, Process::WithSecrets)?;
    start(config_path, config)?;
    Ok(ExitCode::SUCCESS)
}

/// Hands over to the library.
fn start(config_path: PathBuf, config: Config) -> anyhow::Result<()> {
    app::run(app::Start { config_path, config }).map_err(Into::into)
}

fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let config = load(path, Process::WithSecrets)?;
    write!(io::stdout(), "# {} resolves to:\n{}", path.display(), config.to_toml())?;
    Ok(ExitCode::SUCCESS)
}

impl Judge {
    fn run(self) -> anyhow::Result<ExitCode> {
        let rules = match &self.config {
            Some(path) => load(path, Process::WithoutSecrets)?.rules,
            None => toml::Table::new(),
        };
        let text = read_statements(&self.file)?;
        let dialect = match self.dialect {
            Dialect::Postgres => sql::Dialect::Postgres,
            Dialect::Mysql => sql::Dialect::MySql,
        };
        judge(&rules, dialect, &text, self.format)
    }
}

/// Prints the verdict of each statement.
fn judge(rules: &toml::Table, dialect: sql::Dialect, text: &[u8], format: Format) -> anyhow::Result<ExitCode> {
    let guard = Guard::build(rules).map_err(|errors| {
        let told = |error: SettingError| format!("rules.{}: {}", error.path.join("."), error.message);
        anyhow::anyhow!(errors.into_iter().map(told).collect::<Vec<_>>().join("\n"))
    })?;
    let format = match format {
        Format::Text => linter::Format::Text,
        Format::Json => linter::Format::Json,
    };
    let outcome = linter::run(&guard, dialect, text, &mut io::stdout().lock(), format)?;
    Ok(if outcome.refused > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read_statements(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

impl Ctl {
    fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.config.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        // Only the console's address and state_dir matter.
        let config = match path {
            Some(path) => config::load_console(&path, &Process::WithoutSecrets)?,
            None => config::read("[[listener]]", &Process::WithoutSecrets, &app::check_rules)?.config,
        };
        let login = ctl::Login { user: self.user, password: std::env::var(ctl::PASSWORD_VARIABLE).ok() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(ctl::run(&config, &login, &self.command, &mut io::stdout()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads a configuration; warnings go to standard error.
fn load(path: &Path, secrets: Process) -> anyhow::Result<Config> {
    let Loaded { config, warnings } = config::load(path, &secrets, &app::check_rules)?;
    if !warnings.list.is_empty() {
        writeln!(io::stderr(), "{warnings}")?;
    }
    Ok(config)
}
