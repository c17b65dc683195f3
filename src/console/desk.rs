//! What an operator's connection works with: its wire, and commands that are performed.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::accounts::Operator;
use super::answer::{Answer, Failure, Wait, notice};
use super::commands::Call;
use super::keys::Key;
use super::sources::Sources;
use super::wire::{End, Wire};
use crate::clock;

/// How often what a command waits for is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// When an operator who waits is told why.
const TELL_FIRST: Duration = Duration::from_secs(1);
/// And how often again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// One operator's connection.
pub(super) struct Desk<'a, S> {
    pub(super) wire: &'a mut Wire<S>,
    pub(super) operator: Arc<Operator>,
    pub(super) sources: Sources,
    pub(super) key: Key,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Desk<'_, S> {
    /// Runs a command beside the console's own thread: RELOAD reads files, and a long list must not hold up others. A panic
    /// in it is an error of the command.
    pub(super) async fn perform(&mut self, call: &Call) -> Result<Result<Answer, Failure>, End> {
        let (call, sources, operator) = (call.clone(), self.sources.clone(), Arc::clone(&self.operator));
        let run = tokio::task::spawn_blocking(move || call.run(&sources, &operator));
        let ran = run
            .await
            .unwrap_or_else(|_| Err(Failure::new("XX000", "the command failed inside Floodwall; see its log")));
        match ran {
            Ok(Answer { wait: Some(wait), .. }) => Ok(self.wait_for(&wait).await?.map(Answer::done)),
            ran => Ok(ran),
        }
    }

    /// Waits for what a command has begun, and tells an operator who waits for long why. An operator who leaves ends the wait, and
    /// nothing else.
    async fn wait_for(&mut self, wait: &Wait) -> Result<Result<String, Failure>, End> {
        let mut tell_at = clock::now() + TELL_FIRST;
        let cancels = self.key.cancels();
        loop {
            if self.key.cancels() != cancels {
                (wait.given_up)();
                return Ok(Err(Failure::new("57014", "canceling statement due to user request")));
            }
            if let Some(ended) = (wait.ended)() {
                return Ok(ended);
            }
            if clock::now() >= tell_at {
                tell_at = clock::now() + TELL_AGAIN;
                self.wire.put(&notice(&(wait.told)()))?;
                self.wire.flush().await?;
            }
            tokio::select! {
                gone = self.wire.gone() => return Err(gone),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}
