//! A throwaway MariaDB server that listens on a Unix socket only, gone after the test.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use super::command::{limited, stderr, stdout};
use super::process::{Guarded, SOON, STARTED, Scratch, wait_until};

/// A running server without accounts: everybody who reaches its socket may do anything.
#[derive(Debug)]
pub struct MariaDb {
    server: Guarded,
    folder: Scratch,
}

/// What the server said to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The rows, each with its columns.
    Rows(Vec<Vec<String>>),
    /// The number of an error, and its words.
    Error(u16, String),
}

impl MariaDb {
    /// Starts a server; `None` where none is installed. Panics when it hasn't [`STARTED`].
    pub fn start() -> Option<Self> {
        let installed =
            |name: &str| ["/usr/sbin", "/usr/bin"].iter().map(|at| PathBuf::from(at).join(name)).find(|at| at.exists());
        let (Some(program), Some(_)) = (installed("mariadbd"), installed("mariadb")) else {
            eprintln!("skipped: mariadbd and mariadb are not installed (tests/support/install mariadb)");
            return None;
        };
        let folder = Scratch::new("mariadb");
        let mut command = Command::new(program);
        command.arg("--no-defaults").arg("--skip-networking").arg("--skip-grant-tables").arg("--skip-log-bin");
        command.args(["--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--innodb-flush-method=nosync"]);
        for (option, file) in [("datadir", "data"), ("socket", "socket"), ("pid-file", "pid"), ("log-error", "log")] {
            command.arg(format!("--{option}={}", folder.path().join(file).display()));
        }
        if rustix::process::geteuid().is_root() {
            command.arg("--user=root");
        }
        std::fs::create_dir(folder.path().join("data")).unwrap();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut mariadb = Self { server: Guarded::spawn(&mut command, folder.path()), folder };
        let ended = wait_until(STARTED, || mariadb.is_ready() || !mariadb.server.is_running());
        let log = std::fs::read_to_string(mariadb.folder.path().join("log")).unwrap_or_default();
        assert!(ended && mariadb.is_ready(), "MariaDB did not start:\n{log}");
        Some(mariadb)
    }

    fn is_ready(&self) -> bool {
        self.folder.path().join("socket").exists() && self.client("SELECT 1\n").status.success()
    }

    /// Runs a script in one session, on beyond errors.
    fn client(&self, script: &str) -> Output {
        let mut command = limited("mariadb", 300);
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--force", "--unbuffered", "--socket"]);
        command.arg(self.folder.path().join("socket"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The script is small against what the client reads before it writes.
        let mut input = child.stdin.take().unwrap();
        let script = script.to_owned();
        let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
        let out = child.wait_with_output().unwrap();
        writer.join().unwrap().ok();
        assert_ne!(out.status.code(), Some(124), "the client of MariaDB was not done in time");
        out
    }

    /// Runs statements that must not fail; the output as the client prints it.
    pub fn sql(&self, script: &str) -> String {
        let out = self.client(&format!("{script}\n"));
        assert_eq!(stderr(&out), "", "{script}");
        stdout(&out)
    }

    /// Sends each text byte by byte, without a client's own reading of it, and tells what the server said. `setup` runs
    /// before in the same session; `run` goes behind each PREPARE on its line.
    pub fn prepare(&self, setup: &str, texts: &[&[u8]], run: &str) -> Vec<Said> {
        let mut script = format!("{setup};\n");
        for (index, text) in texts.iter().enumerate() {
            let hex = text.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            writeln!(script, "SELECT 'text {index}'; SET @text = X'{hex}'; PREPARE s FROM @text; {run}").unwrap();
        }
        let out = self.client(&script);
        answers(&out, texts.len())
    }
}

/// Rows stand behind the number of their text, errors name the line of theirs; `setup` is the first line.
fn answers(out: &Output, texts: usize) -> Vec<Said> {
    let mut said = vec![Said::Rows(Vec::new()); texts];
    let mut current = None;
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        match line.strip_prefix("text ").and_then(|index| index.parse::<usize>().ok()) {
            Some(index) => current = Some(index),
            None => {
                if let Some(Said::Rows(rows)) = current.and_then(|index| said.get_mut(index)) {
                    rows.push(line.split('\t').map(str::to_owned).collect());
                }
            }
        }
    }
    for line in String::from_utf8_lossy(&out.stderr).lines() {
        let Some(error) = line.strip_prefix("ERROR ") else { continue };
        let number = error.split(' ').next().and_then(|number| number.parse().ok());
        let at = error.split("at line ").nth(1).and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
        let (Some(number), Some(at)) = (number, at) else { panic!("cannot read: {line}") };
        let index = at.checked_sub(2).unwrap_or_else(|| panic!("the setup failed: {line}"));
        // The first error of a text is the one of its PREPARE.
        if matches!(said[index], Said::Rows(_)) {
            said[index] = Said::Error(number, error.to_owned());
        }
    }
    said
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.server.stop(Signal::KILL, SOON);
    }
}
