//! `floodwall ctl`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use floodwall::config::{self, Process};
use floodwall::{app, ctl};

use super::DEFAULT_FILE;

#[derive(Debug, clap::Args)]
pub(crate) struct Ctl {
    /// The configuration of the running Floodwall; left out: config.toml if it is here, otherwise the defaults
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Console user; left out: the first [[admin.user]] with role admin, or admin
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// One line for each column, as psql's \x: for tables that are wider than the terminal
    #[arg(long, short = 'x')]
    expanded: bool,
    /// As in 'SHOW CLIENTS', in one word or several
    #[arg(required = true)]
    command: Vec<String>,
}

impl Ctl {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.config.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        // Only the console's address and state_dir matter.
        let config = match path {
            Some(path) => config::load_console(&path, &Process::WithoutSecrets)?,
            None => config::read("[[listener]]", &Process::WithoutSecrets, &app::check_rules)?.config,
        };
        let login = ctl::Login { user: self.user, password: std::env::var(ctl::PASSWORD_VARIABLE).ok() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let layout = if self.expanded { ctl::Layout::Expanded } else { ctl::Layout::Table };
        let order = ctl::Order { command: &self.command.join(" "), layout };
        runtime.block_on(ctl::run(&config, &login, order, &mut io::stdout()))?;
        Ok(ExitCode::SUCCESS)
    }
}
