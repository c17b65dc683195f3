//! The commands, one file each: their arguments, and one call into the library.

pub(crate) mod check;
pub(crate) mod ctl;
pub(crate) mod import;
pub(crate) mod judge;
pub(crate) mod pass;
pub(crate) mod run;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use floodwall::app;
use floodwall::config::{self, Config, Loaded, Process};

/// The configuration where none is named.
pub(crate) const DEFAULT_FILE: &str = "config.toml";

/// Which configuration: `--config FILE`, or the file alone, as most would write it.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// The configuration
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
    /// The same without --config
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
}

impl Source {
    /// Where it is.
    fn path(self) -> PathBuf {
        self.file.unwrap_or(self.config)
    }
}

/// Reads a configuration; warnings go to standard error.
fn load(path: &Path, secrets: Process) -> anyhow::Result<Config> {
    let Loaded { config, warnings } = config::load(path, &secrets, &app::check_rules)?;
    if !warnings.list.is_empty() {
        writeln!(io::stderr(), "{}", warnings.as_warnings())?;
    }
    Ok(config)
}
