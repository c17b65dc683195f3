//! `floodwall pass`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use floodwall::config::{self, Process};
use floodwall::pass;

use super::DEFAULT_FILE;

pub(crate) const EXAMPLES: &str = "\
Examples:
  floodwall pass --rule unfiltered_write --user deploy --database shop --for 10m --reason INC-7
  PASS=$(floodwall pass --rule unbounded_select,bulk_write --user deploy --for 1h --reason INC-7)
  psql -h 127.0.0.1 -p 6432 -U deploy shop -c \"$PASS DELETE FROM carts\"";

#[derive(Debug, clap::Args)]
pub(crate) struct Pass {
    /// The configuration that names the key
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_FILE)]
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

impl Pass {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, rules, user, database, lifetime, reason } = self;
        let key = config::load_break_glass(&config, &Process::WithSecrets)?;
        let order = pass::Order { rules, user, database, lifetime, reason };
        writeln!(io::stdout(), "{}", pass::sign(order, key.as_ref())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
