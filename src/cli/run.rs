//! `floodwall run`.

use std::path::PathBuf;
use std::process::ExitCode;

use floodwall::app;
use floodwall::config::Process;

use super::{DEFAULT_FILE, load};

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let config = load(&self.config, Process::WithSecrets)?;
        app::run(app::Start { config_path: self.config, config })?;
        Ok(ExitCode::SUCCESS)
    }
}
