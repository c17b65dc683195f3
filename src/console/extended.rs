//! Parse, Bind, Describe, Execute: what drivers send. No command takes parameters.

use std::collections::HashMap;
use std::vec;

use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::EmptyQueryResponse;
use pgwire::messages::{PgWireBackendMessage as Reply, PgWireFrontendMessage as Request};
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{Failure, Formats, Row, complete, error, head, notice, ready, row};
use super::commands::{self, Call};
use super::desk::Desk;
use super::wire::End;

/// Statements and portals of one connection, each.
const NAMES_MAX: usize = 64;

/// Prepared statements and portals of one connection.
#[derive(Default)]
pub(super) struct Extended {
    statements: HashMap<String, Option<Call>>,
    portals: HashMap<String, Portal>,
    /// An error was sent: everything up to Sync is skipped.
    skipping: bool,
}

struct Portal {
    /// `None`: an empty text.
    call: Option<Call>,
    formats: Formats,
    /// What is left of an answer that was asked for in parts.
    left: Option<vec::IntoIter<Row>>,
}

impl Extended {
    /// Answers one message.
    pub(super) async fn request<S>(&mut self, desk: &mut Desk<'_, S>, request: Request) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if matches!(request, Request::Sync(_)) {
            self.skipping = false;
            self.portals.clear();
            desk.wire.put(&ready())?;
            return desk.wire.flush().await;
        }
        if self.skipping {
            return Ok(());
        }
        let done = match request {
            Request::Parse(parse) => self.parse(parse).map(|reply| vec![reply]),
            Request::Bind(bind) => self.bind(bind).map(|reply| vec![reply]),
            Request::Describe(describe) => self.describe(&describe),
            Request::Execute(execute) => self.execute(desk, &execute).await?,
            Request::Close(close) => {
                self.forget(close.target_type, &close.name.unwrap_or_default());
                Ok(vec![Reply::CloseComplete(CloseComplete::new())])
            }
            Request::Flush(_) => return desk.wire.flush().await,
            _ => return Err(End::Refused(Failure::new("08P01", "unexpected message"))),
        };
        match done {
            Ok(replies) => replies.iter().try_for_each(|reply| desk.wire.put(reply)),
            Err(failure) => {
                self.skipping = true;
                desk.wire.put(&error(&failure))
            }
        }
    }

    fn parse(&mut self, parse: Parse) -> Result<Reply, Failure> {
        let mut texts = parse.query.split(';').map(str::trim).filter(|text| !text.is_empty());
        let call = texts.next().map(commands::parse).transpose()?;
        if texts.next().is_some() {
            return Err(Failure::new("42601", "cannot insert multiple commands into a prepared statement"));
        }
        let name = parse.name.unwrap_or_default();
        if !name.is_empty() && self.statements.contains_key(&name) {
            return Err(Failure::new("42P05", "prepared statement already exists"));
        }
        bounded(&self.statements, &name)?;
        self.statements.insert(name, call);
        Ok(Reply::ParseComplete(ParseComplete::new()))
    }

    fn bind(&mut self, bind: Bind) -> Result<Reply, Failure> {
        let name = bind.statement_name.unwrap_or_default();
        let call = self.statements.get(&name).ok_or_else(no_statement)?.clone();
        if !bind.parameters.is_empty() {
            return Err(Failure::new("08P01", "console commands take no parameters"));
        }
        let columns = call.as_ref().map_or(0, |call| call.columns().len());
        let formats = Formats::new(bind.result_column_format_codes, columns)?;
        let portal = bind.portal_name.unwrap_or_default();
        bounded(&self.portals, &portal)?;
        self.portals.insert(portal, Portal { call, formats, left: None });
        Ok(Reply::BindComplete(BindComplete::new()))
    }

    fn describe(&self, describe: &Describe) -> Result<Vec<Reply>, Failure> {
        let name = describe.name.clone().unwrap_or_default();
        let columns = |call: Option<&Call>, formats: &Formats| match call.map(Call::columns) {
            Some(columns) if !columns.is_empty() => head(columns, formats),
            _ => Reply::NoData(NoData::new()),
        };
        if describe.target_type == TARGET_TYPE_BYTE_STATEMENT {
            let call = self.statements.get(&name).ok_or_else(no_statement)?;
            let parameters = Reply::ParameterDescription(ParameterDescription::new(Vec::new()));
            return Ok(vec![parameters, columns(call.as_ref(), &Formats::default())]);
        }
        let portal = self.portals.get(&name).ok_or_else(no_portal)?;
        Ok(vec![columns(portal.call.as_ref(), &portal.formats)])
    }

    /// Runs the portal at its first Execute, then hands out its rows.
    async fn execute<S>(
        &mut self,
        desk: &mut Desk<'_, S>,
        execute: &Execute,
    ) -> Result<Result<Vec<Reply>, Failure>, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = execute.name.clone().unwrap_or_default();
        let Some(portal) = self.portals.get_mut(&name) else { return Ok(Err(no_portal())) };
        let Some(call) = &portal.call else {
            return Ok(Ok(vec![Reply::EmptyQueryResponse(EmptyQueryResponse::new())]));
        };
        if portal.left.is_none() {
            match desk.perform(call).await? {
                Ok(answer) => {
                    answer.notice.iter().try_for_each(|sentence| desk.wire.put(&notice(sentence)))?;
                    portal.left = Some(answer.rows.into_iter());
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        let rows_max = usize::try_from(execute.max_rows).ok().filter(|rows| *rows > 0).unwrap_or(usize::MAX);
        let left = portal.left.get_or_insert_default();
        let mut sent = 0;
        for values in left.by_ref().take(rows_max) {
            desk.wire.feed(&row(&values, &portal.formats)).await?;
            sent += 1;
        }
        if left.len() > 0 {
            return Ok(Ok(vec![Reply::PortalSuspended(PortalSuspended::new())]));
        }
        Ok(Ok(vec![complete(call.tag(sent))]))
    }

    fn forget(&mut self, target: u8, name: &str) {
        if target == TARGET_TYPE_BYTE_STATEMENT {
            self.statements.remove(name);
        } else {
            self.portals.remove(name);
        }
    }
}

fn bounded<T>(held: &HashMap<String, T>, name: &str) -> Result<(), Failure> {
    if held.len() >= NAMES_MAX && !held.contains_key(name) {
        return Err(Failure::new("54000", format!("the console holds {NAMES_MAX} of these for a connection")));
    }
    Ok(())
}

fn no_statement() -> Failure {
    Failure::new("26000", "prepared statement does not exist")
}

fn no_portal() -> Failure {
    Failure::new("34000", "portal does not exist")
}
