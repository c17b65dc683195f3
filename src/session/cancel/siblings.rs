//! The other processes of a hand-over. A cancel request reaches whichever of them listens, and its session may be another's.
//!
//! Each has a Unix socket in `state_dir`, and asks the others about a key that it does not know: the request as it came goes there, one
//! byte comes back. Whoever is asked asks nobody else.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Keys;
use crate::telemetry::Metrics;
use crate::wire::pg::startup::{Cancel, First, cancel_request, read};

/// What the sockets are called.
const PREFIX: &str = "cancel-";
/// More processes at once are not asked.
const ASKED_MAX: usize = 8;
/// How long one of them may take. Its server has five seconds for each cancel.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it may take to say what it wants to know.
const QUESTION: Duration = Duration::from_secs(1);
/// Requests of others that are under way at once.
const AT_ONCE: usize = 64;
/// A request with the longest secret.
const REQUEST_MAX: usize = 12 + 256;
/// How long nothing is accepted when the system has nothing left.
const PAUSE: Duration = Duration::from_millis(100);
/// The session is here, and its cancel has been seen to.
const MINE: u8 = 1;
/// It is not.
const NOT_MINE: u8 = 0;

/// The way to the others.
#[derive(Debug)]
pub struct Siblings {
    folder: PathBuf,
    own: PathBuf,
}

/// Where they ask us; the socket is removed when this is dropped.
#[derive(Debug)]
pub struct Counter {
    listener: UnixListener,
    path: PathBuf,
}

impl Siblings {
    /// Opens a socket in this folder, for this user alone, under a name that no other process has.
    ///
    /// # Errors
    /// The folder can't be written, its path is too long for a socket, or the system has no random bytes.
    pub fn open(folder: &Path) -> io::Result<(Self, Counter)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let number = getrandom::u64()?;
        // It gets its name once it listens: who finds nobody behind a name takes it away.
        let (opening, own) = (folder.join(format!("new-{number:016x}")), folder.join(format!("{PREFIX}{number:016x}")));
        let mut counter = Counter { listener: UnixListener::bind(&opening)?, path: opening };
        fs::set_permissions(&counter.path, Permissions::from_mode(0o600))?;
        fs::rename(&counter.path, &own)?;
        counter.path.clone_from(&own);
        Ok((Self { folder: folder.to_owned(), own }, counter))
    }

    /// Asks the others for the session of this request. True where one of them has it, and has cancelled what it does. Not cancel-safe: a
    /// question may be half asked.
    pub async fn cancel(&self, cancel: &Cancel) -> bool {
        let question = cancel_request(cancel.pid, &cancel.secret);
        for other in self.others() {
            match timeout(PATIENCE, ask(&other, &question)).await {
                Ok(Ok(answer)) if answer == MINE => return true,
                // It ended without a chance to clear up: nobody else listens under its name.
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => drop(fs::remove_file(&other)),
                _ => {}
            }
        }
        false
    }

    /// The sockets of the others. The folder holds a handful of files.
    fn others(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_socket = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(PREFIX)) && *path != self.own
        };
        paths.filter(is_socket).take(ASKED_MAX).collect()
    }
}

async fn ask(other: &Path, question: &[u8]) -> io::Result<u8> {
    let mut stream = UnixStream::connect(other).await?;
    stream.write_all(question).await?;
    stream.read_u8().await
}

impl Counter {
    /// Answers the others. Never returns. Cancel-safe, but for questions that are under way, which end by themselves.
    pub async fn serve(self, keys: Arc<Keys>, metrics: Arc<Metrics>) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let (keys, metrics) = (Arc::clone(&keys), Arc::clone(&metrics));
            tokio::spawn(async move {
                drop(timeout(PATIENCE, answer(stream, &keys, &metrics)).await);
                drop(place);
            });
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

async fn answer(mut stream: UnixStream, keys: &Keys, metrics: &Metrics) -> io::Result<()> {
    let cancel = timeout(QUESTION, question(&mut stream)).await??;
    let answer = match keys.find(&cancel) {
        None => NOT_MINE,
        Some(target) => {
            metrics.cancel(target.cancel().await.label());
            MINE
        }
    };
    stream.write_u8(answer).await
}

async fn question(stream: &mut UnixStream) -> io::Result<Cancel> {
    let size = stream.read_u32().await?;
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if !(4..=REQUEST_MAX).contains(&length) {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut packet = size.to_be_bytes().to_vec();
    packet.resize(length, 0);
    stream.read_exact(packet.get_mut(4..).unwrap_or_default()).await?;
    match read(&packet) {
        Ok(First::Cancel(cancel)) => Ok(cancel),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pg::startup::Version;

    fn process(folder: &Path) -> (Siblings, Arc<Keys>, tokio::task::JoinHandle<()>) {
        let (siblings, counter) = Siblings::open(folder).unwrap();
        let keys = Arc::new(Keys::default());
        let serving = tokio::spawn(counter.serve(Arc::clone(&keys), Metrics::new(1)));
        (siblings, keys, serving)
    }

    #[tokio::test]
    async fn a_key_leads_to_the_process_that_gave_it_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (old, old_keys, _old) = process(folder.path());
        let (new, _, serving) = process(folder.path());
        let key = old_keys.invent(Version::V3_2).unwrap();
        key.target().register(std::task::Waker::noop(), 7);
        key.target().waits();
        let ask = |secret: &[u8]| Cancel { pid: key.pid(), secret: secret.to_vec() };
        assert!(!new.cancel(&ask(b"none")).await && !key.target().take_cancelled());
        assert!(new.cancel(&ask(key.secret())).await && key.target().take_cancelled());
        assert!(!old.cancel(&ask(key.secret())).await, "nobody asks itself");
        // Whoever speaks otherwise hears nothing.
        let mut stranger = UnixStream::connect(&old.own).await.unwrap();
        stranger.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
        assert_eq!(stranger.read(&mut [0]).await.unwrap(), 0);
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!new.own.exists() && old.own.exists());
        assert_eq!(fs::metadata(&old.own).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn what_a_process_left_behind_that_ended_badly_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (new, _, _serving) = process(folder.path());
        let stale = folder.path().join("cancel-0");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        assert!(stale.exists() && !new.cancel(&Cancel { pid: 1, secret: vec![0; 4] }).await);
        assert!(!stale.exists());
    }
}
