//! A logged-in console connection: requests in, answers out.

use std::sync::Arc;
use std::time::Duration;

use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::{PgWireBackendMessage as Reply, PgWireFrontendMessage as Request};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Sources;
use super::answer::{Answer, Failure, Formats, complete, error, head, notice, row};
use super::commands::{self, Call};
use super::extended::Extended;
use super::login::Operator;
use super::wire::{End, Wire};

/// A console that nobody uses for so long gives its place to somebody else.
const IDLE_MAX: Duration = Duration::from_secs(3600);

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
        let answer = match self.perform(call).await {
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
    pub(super) async fn perform(&self, call: &Call) -> Result<Answer, Failure> {
        let (call, sources, operator) = (call.clone(), self.sources.clone(), Arc::clone(&self.operator));
        let run = tokio::task::spawn_blocking(move || call.run(&sources, &operator));
        run.await.unwrap_or_else(|_| Err(Failure::new("XX000", "the command failed inside Floodwall; see its log")))
    }
}

/// The console knows no transactions.
pub(super) fn ready() -> Reply {
    Reply::ReadyForQuery(ReadyForQuery::new(TransactionStatus::Idle))
}
