//! A logged-in console connection: requests in, answers out.

use std::time::Duration;

use pgwire::messages::response::EmptyQueryResponse;
use pgwire::messages::{PgWireBackendMessage as Reply, PgWireFrontendMessage as Request};
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{Failure, Formats, complete, error, head, notice, ready, row};
use super::commands::{self, Call};
use super::desk::Desk;
use super::extended::Extended;
use super::wire::End;

/// A console that nobody uses for so long gives its place to somebody else.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// Answers until the client leaves.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(desk: Desk<'_, S>) -> Result<(), End> {
    Session { desk }.run().await
}

/// One operator's session.
struct Session<'a, S> {
    desk: Desk<'a, S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    async fn run(mut self) -> Result<(), End> {
        let mut extended = Extended::default();
        loop {
            let request = tokio::time::timeout(IDLE_MAX, self.desk.wire.request()).await;
            let Ok(request) = request else {
                return Err(End::Refused(Failure::new("57P05", "console closed: idle for an hour")));
            };
            match request? {
                Request::Terminate(_) => return Ok(()),
                Request::Query(query) => {
                    self.query(&query.query).await?;
                    self.desk.wire.put(&ready())?;
                    self.desk.wire.flush().await?;
                }
                // What a client sends after a COPY was refused; PostgreSQL ignores it too.
                Request::CopyData(_) | Request::CopyDone(_) | Request::CopyFail(_) => {}
                other => extended.request(&mut self.desk, other).await?,
            }
        }
    }

    /// A simple query: commands in order, up to the first that fails.
    async fn query(&mut self, text: &str) -> Result<(), End> {
        let texts: Vec<&str> = text.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            return self.desk.wire.put(&Reply::EmptyQueryResponse(EmptyQueryResponse::new()));
        }
        for text in texts {
            let done = match commands::parse(text) {
                Ok(call) => self.answer(&call).await?,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                return self.desk.wire.put(&error(&failure));
            }
        }
        Ok(())
    }

    /// Runs a command and sends all of its answer.
    async fn answer(&mut self, call: &Call) -> Result<Result<(), Failure>, End> {
        let answer = match self.desk.perform(call).await? {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure)),
        };
        let formats = Formats::default();
        if !call.columns().is_empty() {
            self.desk.wire.put(&head(call.columns(), &formats))?;
        }
        let rows = answer.rows.len();
        for values in &answer.rows {
            self.desk.wire.feed(&row(values, &formats)).await?;
        }
        if let Some(sentence) = &answer.notice {
            self.desk.wire.put(&notice(sentence))?;
        }
        self.desk.wire.put(&complete(call.tag(rows)))?;
        Ok(Ok(()))
    }
}
