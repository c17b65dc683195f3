//! `floodwall import`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use floodwall::import;

pub(crate) const EXAMPLES: &str = "\
Examples:
  floodwall import /etc/pgbouncer/pgbouncer.ini                       the configuration, to look at
  floodwall import pgbouncer.ini userlist.txt --output config.toml    writes config.toml, and users.toml beside it
  floodwall check --config config.toml                                is it right? what does it resolve to?

Rules for statements begin with mode = \"warn\": PgBouncer has none, so nothing is refused that was not before. users.toml,
auth.password (that of auth_user) and database-NAME.password (that of its user=) hold secrets: they get mode 0600, and are written with
--output only. No file is ever written over.

Exit code: 0 if it was imported, notes or not; 1 if a file cannot be read, or is no configuration, or is there already.";

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
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

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let read = |path: &Path| std::fs::read_to_string(path);
        let imported = import::import(&self.ini, self.userlist.as_deref(), &read)?;
        match &self.output {
            Some(path) => {
                imported.secrets.iter().try_for_each(|(file, text)| create(&path.with_file_name(file), text))?;
                create(path, &imported.config)?;
            }
            None => write!(io::stdout(), "{}", imported.config)?,
        }
        let mut told = io::stderr();
        imported.notes.iter().try_for_each(|note| writeln!(told, "{note}"))?;
        let secrets = imported.secrets.iter();
        match &self.output {
            Some(path) => {
                let beside = secrets.map(|(file, _)| format!(", {}", path.with_file_name(file).display()));
                writeln!(told, "written: {}{}", path.display(), beside.collect::<String>())?;
                writeln!(told, "next: floodwall check --config {}", path.display())?;
            }
            None => secrets
                .into_iter()
                .try_for_each(|(file, _)| writeln!(told, "{file} was not written: it takes --output"))?,
        }
        Ok(ExitCode::SUCCESS)
    }
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
