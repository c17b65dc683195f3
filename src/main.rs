//! The command line: which command, and how it ends.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::check::Check;
use crate::cli::ctl::Ctl;
use crate::cli::import::{self, Import};
use crate::cli::judge::{self, Judge};
use crate::cli::pass::{self, Pass};
use crate::cli::run::Run;

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

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the proxy until SIGTERM
    Run(Run),
    /// Tells every error of a configuration, or what it resolves to
    ///
    /// Prints the resolved configuration, secrets masked, and exits with 0; or prints all errors, each with file, line
    /// and key, and exits with 1.
    Check(Check),
    /// Tells what the rules say to each statement of a file, and why
    ///
    /// Needs no server: a linter for migrations, and for what a server has already run. Which tables are large is known from
    /// --schema, or not at all. Prints for each statement how it was read, what each rule saw in it, the verdict and what to write instead.
    #[command(after_help = judge::EXAMPLES)]
    Judge(Judge),
    /// Turns a configuration of PgBouncer into one of Floodwall
    ///
    /// Reads pgbouncer.ini with what it includes, and userlist.txt: the second argument, or else its auth_file. Writes the
    /// equivalent config.toml, and users.toml where Floodwall will check the passwords. Each key that has no equivalent is
    /// told with its line and with what to do instead.
    #[command(after_help = import::EXAMPLES)]
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
    #[command(after_help = pass::EXAMPLES)]
    Pass(Pass),
}

fn main() -> ExitCode {
    let (result, trouble) = match Cli::parse().command {
        Command::Run(run) => (run.run(), 1),
        Command::Check(check) => (check.run(), 1),
        Command::Judge(judge) => (judge.run(), judge::NO_VERDICT),
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
