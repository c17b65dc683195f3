//! A logged-in console connection: requests in, answers out.

use std::sync::Arc;
use std::time::Duration;

use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::{PgWireBackendMessage as Reply, PgWireFrontendMessage as Request};
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{Answer, Failure, Formats, Wait, complete, error, head, notice, row};
use super::commands::{self, Call};
use super::extended::Extended;
use super::login::Operator;
use super::sources::Sources;
use super::wire::{End, Wire};
use crate::clock;

/// A console that nobody uses for so long gives its place to somebody else.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// How often what a command waits for is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// When an operator who waits is told why.
const TELL_FIRST: Duration = Duration::from_secs(1);
/// And how often again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// One operator's session.
pub(super) struct Session<'a, S> {
    pub(super) wire: &'a mut Wire<S>,
    pub(super) operator: Arc<Operator>,
    pub(super) sources: Sources,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// Answers until the client leaves.
    pub(super) async fn run(mut self) -> Result<(), End> {
        let mut extended = Extended::default();
        loop {
            let request = tokio::time::timeout(IDLE_MAX, self.wire.request()).await;
            let Ok(request) = request else {
                return Err(End::Refused(Failure::new("57P05", "console closed: idle for an hour")));
            };
            match request? {
                Request::Terminate(_) => return Ok(()),
                Request::Query(query) => {
                    self.query(&query.query).await?;
                    self.wire.put(&ready())?;
                    self.wire.flush().await?;
                }
                // What a client sends after a COPY was refused; PostgreSQL ignores it too.
                Request::CopyData(_) | Request::CopyDone(_) | Request::CopyFail(_) => {}
                other => extended.request(&mut self, other).await?,
            }
        }
    }

    /// A simple query: commands in order, up to the first that fails.
    async fn query(&mut self, text: &str) -> Result<(), End> {
        let texts: Vec<&str> = text.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            return self.wire.put(&Reply::EmptyQueryResponse(EmptyQueryResponse::new()));
        }
        for text in texts {
            let done = match commands::parse(text) {
                Ok(call) => self.answer(&call).await?,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                return self.wire.put(&error(&failure));
            }
        }
        Ok(())
    }

    /// Runs a command and sends all of its answer.
    async fn answer(&mut self, call: &Call) -> Result<Result<(), Failure>, End> {
        let answer = match self.perform(call).await? {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure)),
        };
        let formats = Formats::default();
        if !call.columns().is_empty() {
            self.wire.put(&head(call.columns(), &formats))?;
        }
        let rows = answer.rows.len();
        for values in &answer.rows {
            self.wire.feed(&row(values, &formats)).await?;
        }
        if let Some(sentence) = &answer.notice {
            self.wire.put(&notice(sentence))?;
        }
        self.wire.put(&complete(call.tag(rows)))?;
        Ok(Ok(()))
    }

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
        loop {
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

/// The console knows no transactions.
pub(super) fn ready() -> Reply {
    Reply::ReadyForQuery(ReadyForQuery::new(TransactionStatus::Idle))
}
