//! Child processes that never outlive the test process, however it ends.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// What is waited for comes long before, and on a machine with other things to do all the same. Whoever fails fails later for it.
pub const SOON: Duration = Duration::from_secs(30);

/// A server's start reads and writes a whole folder, on a disk that others may keep busy.
pub const STARTED: Duration = Duration::from_secs(120);

/// Waits until `done` says so; false when `limit` passes first.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    done()
}

/// Ends what threads of a scope do until they are told, also where the test fails: the scope would wait for them for ever.
#[derive(Debug)]
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long something takes, beside an ordinary statement in the same moments: what the machine does to the one it does to the other.
#[derive(Debug, Default)]
pub struct Promptness {
    ordinary: Vec<Duration>,
    measured: Vec<Duration>,
}

impl Promptness {
    /// What takes longer than this, and than [`Self::TIMES`] an ordinary statement, has waited for something.
    const LIMIT: Duration = Duration::from_millis(5);
    const TIMES: u32 = 10;

    /// Measures both once.
    pub fn measure<A, B>(&mut self, ordinary: impl FnOnce() -> A, measured: impl FnOnce() -> B) {
        let begin = Instant::now();
        ordinary();
        let between = Instant::now();
        measured();
        self.ordinary.push(between - begin);
        self.measured.push(between.elapsed());
    }

    /// Fails where the median of what was measured is too long.
    pub fn assert(mut self) {
        self.ordinary.sort();
        self.measured.sort();
        let middle = self.measured.len() / 2;
        let (ordinary, measured) = (self.ordinary[middle], self.measured[middle]);
        let limit = Self::LIMIT.max(ordinary * Self::TIMES);
        assert!(measured < limit, "median {measured:?}, {ordinary:?} of an ordinary statement");
    }
}

/// A folder of its own below the system's temporary folder, removed with everything in it on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the folder; `label` shows in its name.
    pub fn new(label: &str) -> Self {
        let made = tempfile::Builder::new().prefix(&format!("floodwall-{label}-")).tempdir().unwrap();
        Self { path: made.keep() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).ok();
    }
}

/// A running child. Dropping it kills it; should the test process die first, a watcher does the same and
/// removes the child's folder.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    watcher: Child,
}

impl Guarded {
    /// Starts `command`; `folder` is what the watcher removes if nobody else can.
    pub fn spawn(command: &mut Command, folder: &Path) -> Self {
        let name = command.get_program().to_owned();
        // A process group of its own: ^C at the terminal reaches the test first, which then stops the child.
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {}: {e}", name.display()));
        let watcher = watch(child.id(), folder);
        Self { child, watcher }
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal; a child that is gone already is fine.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).ok();
    }

    /// Waits for the end; `None` when it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let mut status = None;
        wait_until(limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }

    /// Still running?
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks with `first`, waits for `patience`, then kills.
    pub fn stop(&mut self, first: Signal, patience: Duration) {
        if self.is_running() {
            self.signal(first);
        }
        if self.wait(patience).is_none() {
            self.signal(Signal::KILL);
            self.wait(SOON);
        }
        self.watcher.kill().ok();
        self.watcher.wait().ok();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop(Signal::KILL, SOON);
    }
}

/// A shell that waits for its standard input to close, which happens when this process ends in any way.
fn watch(pid: u32, folder: &Path) -> Child {
    let script = "trap '' INT TERM HUP; read _; kill -QUIT $0; sleep 1; kill -KILL $0; rm -rf \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(pid.to_string()).arg(folder).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
