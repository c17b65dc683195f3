//! The command line: arguments, configuration, one call into the library.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use floodwall::config::{self, Config, Loaded, Process};
use floodwall::guard::{Guard, SettingError};
use floodwall::linter::{self, Linter};
use floodwall::{app, ctl, import, pass, sql};

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
  floodwall import /etc/pgbouncer/pgbouncer.ini --output config.toml
                                                the configuration of a PgBouncer, as Floodwall's
  floodwall pass --rule unfiltered_write --user django --for 10m --reason INC-7
                                                a comment that lets one statement through a rule

SIGHUP reads the configuration again; SIGTERM drains, a second one ends at once.";

const JUDGE_EXAMPLES: &str = "\
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
    /// Tells what the rules say to each statement of a file, and why
    ///
    /// Needs no server: a linter for migrations, and for what a server has already run. Which tables are large is known from
    /// --schema, or not at all. Prints for each statement how it was read, what each rule saw in it, the verdict and what to write instead.
    #[command(after_help = JUDGE_EXAMPLES)]
    Judge(Judge),
    /// Turns a configuration of PgBouncer into one of Floodwall
    ///
    /// Reads pgbouncer.ini with what it includes, and userlist.txt: the second argument, or else its auth_file. Writes the
    /// equivalent config.toml, and users.toml where Floodwall will check the passwords. Each key that has no equivalent is
    /// told with its line and with what to do instead.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Runs one command on the console of a running Floodwall
    ///
    /// Goes to the Unix socket in state_dir; as another system user, over TCP with the password in
    /// FLOODWALL_CONSOLE_PASSWORD or in state_dir/console.password. 'SHOW HELP' lists the commands.
    Ctl(Ctl),
    /// Signs a break-glass pass: a comment that lifts rules for one user until it expires
    ///
    /// Put the comment before or behind the statement that must run although a rule refuses it. Whoever logs in as that
    /// user and holds the comment can use it, with any statement, until it expires. Each use is logged and counted in
    /// floodwall_break_glass_total. The key is that of [break_glass] in the configuration, the same that the running
    /// Floodwall has. Exits with 1 if there is no key, with 2 if an argument is wrong.
    #[command(after_help = PASS_EXAMPLES)]
    Pass(Pass),
}

const PASS_EXAMPLES: &str = "\
Examples:
  floodwall pass --rule unfiltered_write --user deploy --database shop --for 10m --reason INC-7
  PASS=$(floodwall pass --rule unbounded_select,bulk_write --user deploy --for 1h --reason INC-7)
  psql -h 127.0.0.1 -p 6432 -U deploy shop -c \"$PASS DELETE FROM carts\"";

const IMPORT_EXAMPLES: &str = "\
Examples:
  floodwall import /etc/pgbouncer/pgbouncer.ini                       the configuration, to look at
  floodwall import pgbouncer.ini userlist.txt --output config.toml    writes config.toml, and users.toml beside it
  floodwall check --config config.toml                                is it right? what does it resolve to?

Rules for statements begin with mode = \"warn\": PgBouncer has none, so nothing is refused that was not before. users.toml holds
secrets: it gets mode 0600, and is written with --output only. No file is ever written over.

Exit code: 0 if it was imported, notes or not; 1 if a file cannot be read, or is no configuration, or is there already.";

#[derive(Debug, clap::Args)]
struct Import {
    /// The configuration of PgBouncer
    #[arg(value_name = "PGBOUNCER.INI")]
    ini: PathBuf,
    /// Its users; left out: the auth_file that the configuration names
    #[arg(value_name = "USERLIST.TXT")]
    userlist: Option<PathBuf>,
    /// Where to write config.toml; left out: to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Judge {
    /// How to read the statements
    #[arg(long, value_enum, default_value = "postgres")]
    dialect: Dialect,
    /// The configuration whose [rules] apply; left out: each rule's defaults
    #[arg(long, value_name = "FILE")]
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

#[derive(Debug, clap::Args)]
struct Pass {
    /// The configuration that names the key
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
    /// The rules to lift
    #[arg(long = "rule", value_name = "RULE[,RULE…]", value_delimiter = ',', required = true, value_parser = pass::rule)]
    rules: Vec<&'static str>,
    /// Who may use it: the user that logs in
    #[arg(long, value_name = "NAME")]
    user: String,
    /// In which database; left out: in any
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// How long it holds: at most 24h
    #[arg(long = "for", value_name = "TIME", value_parser = pass::lifetime)]
    lifetime: Duration,
    /// Why, for the log: say, the number of the incident
    #[arg(long, value_name = "TEXT")]
    reason: String,
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

const DEFAULT_FILE: &str = "config.toml";

/// Exit code of `judge` where there is no verdict.
const NO_VERDICT: u8 = 2;

fn main() -> ExitCode {
    let (result, trouble) = match Cli::parse().command {
        Command::Run { config } => (run(config), 1),
        Command::Check { config } => (check(&config), 1),
        Command::Judge(judge) => (judge.run(), NO_VERDICT),
        Command::Import(import) => (import.run(), 1),
        Command::Ctl(ctl) => (ctl.run(), 1),
        Command::Pass(pass) => (pass.run(), 1),
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
    let unusable = app::certificates::check_certificates(&config);
    anyhow::ensure!(unusable.is_empty(), unusable.join("\n"));
    write!(io::stdout(), "# {} resolves to:\n{}", path.display(), config.to_toml())?;
    Ok(ExitCode::SUCCESS)
}

impl Judge {
    fn run(self) -> anyhow::Result<ExitCode> {
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

impl Import {
    fn run(self) -> anyhow::Result<ExitCode> {
        let read = |path: &Path| std::fs::read_to_string(path);
        let imported = import::import(&self.ini, self.userlist.as_deref(), &read)?;
        match (&self.output, &imported.users) {
            (Some(path), users) => {
                if let Some(users) = users {
                    create(&path.with_file_name("users.toml"), users)?;
                }
                create(path, &imported.config)?;
            }
            (None, _) => write!(io::stdout(), "{}", imported.config)?,
        }
        let mut told = io::stderr();
        imported.notes.iter().try_for_each(|note| writeln!(told, "{note}"))?;
        if self.output.is_none() && imported.users.is_some() {
            writeln!(told, "users.toml was not written: it takes --output")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The tables that a file tells of.
fn known_tables(path: &Path) -> anyhow::Result<sql::Schema> {
    use anyhow::Context as _;
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    linter::read_schema(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

/// Writes a file that nobody else may read and that is not there yet.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let context = || format!("{}: cannot be written", path.display());
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
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

impl Pass {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, rules, user, database, lifetime, reason } = self;
        let key = config::load_break_glass(&config, &Process::WithSecrets)?;
        let order = pass::Order { rules, user, database, lifetime, reason };
        writeln!(io::stdout(), "{}", pass::sign(order, key.as_ref())?)?;
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
