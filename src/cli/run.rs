//! `floodwall run`.

use std::process::ExitCode;

use floodwall::app;
use floodwall::config::Process;

use super::{Source, load};

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    source: Source,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let config_path = self.source.path();
        let config = load(&config_path, Process::WithSecrets)?;
        app::run(app::Start { config_path, config })?;
        Ok(ExitCode::SUCCESS)
    }
}
