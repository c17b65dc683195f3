//! `floodwall check`.

use std::io::{self, Write};
use std::process::ExitCode;

use floodwall::app::certificates::{Checked, check_certificates};
use floodwall::config::{self, Process};

use super::{Source, load};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.source.path();
        let path = path.as_path();
        let config = load(path, Process::WithSecrets)?;
        let Checked { unusable, untimely } = check_certificates(&config);
        anyhow::ensure!(unusable.is_empty(), config::locate(path, unusable));
        if !untimely.is_empty() {
            writeln!(io::stderr(), "{}", config::locate(path, untimely).as_warnings())?;
        }
        write!(io::stdout(), "# {} resolves to:\n{}", path.display(), config.to_toml())?;
        Ok(ExitCode::SUCCESS)
    }
}
