//! `floodwall check`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use floodwall::app::certificates::{Checked, check_certificates};
use floodwall::config::{self, Process};

use super::{DEFAULT_FILE, load};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.config.as_path();
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
