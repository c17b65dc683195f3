//! Client programs run by tests, each with a limit in time.

use std::path::Path;
use std::process::{Command, Output};

use super::cluster::{bin, password};

/// `program` that is killed after `seconds`.
pub fn limited(program: impl AsRef<Path>, seconds: u32) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &seconds.to_string()]).arg(program.as_ref());
    command
}

/// A program of PostgreSQL (psql, pgbench, pg_dump, …) pointed at a port of this machine; killed after five minutes.
pub fn pg(program: &str, port: u16, user: &str, database: &str) -> Command {
    pg_within(300, program, port, (user, database))
}

/// The same, killed after `seconds`; `login` is user and database.
pub fn pg_within(seconds: u32, program: &str, port: u16, login: (&str, &str)) -> Command {
    let (user, database) = login;
    let mut command = limited(bin(program), seconds);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string()).env("PGUSER", user);
    command.env("PGPASSWORD", password(user)).env("PGDATABASE", database).env("PGCONNECT_TIMEOUT", "60");
    command.env("PGOPTIONS", "").env("LC_ALL", "C.UTF-8").env_remove("PGSERVICE");
    command
}

/// Standard output of a finished program as text.
pub fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap().trim_end().to_owned()
}

/// Standard error of a finished program as text.
pub fn stderr(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap().trim_end().to_owned()
}
