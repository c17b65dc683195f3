//! Asks one server whether it is there and what it is.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

use super::super::dial::resolve_and_dial;
use crate::clock;
use crate::config::Monitor;
use crate::net::driver::Driver;
use crate::net::library::{Carried, lacks_password};
use crate::net::tls::Live;
use crate::wire::pg::startup::TLS_REQUEST;

/// A server that has not answered by then does not answer: with an interval of a second, a silent one is found within three.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// A connection is kept no longer, so that its name is resolved again.
const KEEP: Duration = Duration::from_secs(30);
/// So that an operator sees at once whose connection it is.
const APPLICATION_NAME: &str = "floodwall-monitor";
const QUERY: &str = "SELECT pg_catalog.pg_is_in_recovery()";

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It could not be asked.
    Unknown,
    /// It takes writes.
    Primary,
    /// It follows another.
    Standby,
}

impl Role {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// What a probe found.
#[derive(Debug)]
pub(super) enum Found {
    /// It answers, and is this.
    Role(Role),
    /// It answers, and did not let us ask.
    Refused(String),
    /// It does not answer, or says that it can't serve anybody.
    Down(String),
}

impl Found {
    /// What is wrong by this probe alone.
    pub(super) fn fault(&self) -> Option<&str> {
        match self {
            Self::Role(_) => None,
            Self::Refused(why) | Self::Down(why) => Some(why),
        }
    }
}

/// Asks one server, on a connection that it keeps.
#[derive(Debug)]
pub(super) struct Prober<'a> {
    server: &'a str,
    monitor: Option<&'a Monitor>,
    tls: &'a Live,
    kept: Option<Kept>,
}

/// A connection of the monitor's.
struct Kept {
    client: Client,
    since: Instant,
    _carried: Carried,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("since", &self.since).finish_non_exhaustive()
    }
}

impl<'a> Prober<'a> {
    pub(super) fn new(server: &'a str, monitor: Option<&'a Monitor>, tls: &'a Live) -> Self {
        Self { server, monitor, tls, kept: None }
    }

    /// Asks once, within [`ANSWER_WITHIN`].
    pub(super) async fn probe(&mut self) -> Found {
        let kept = self.kept.take().filter(|kept| kept.since + KEEP > clock::now() && !kept.client.is_closed());
        let asked = async {
            match self.monitor {
                Some(monitor) => ask(self.server, monitor, self.tls, kept).await,
                None => knock(self.server).await.map(|()| (Role::Unknown, None)),
            }
        };
        match timeout(ANSWER_WITHIN, asked).await {
            Ok(Ok((role, kept))) => {
                self.kept = kept;
                Found::Role(role)
            }
            Ok(Err(found)) => found,
            Err(_) => Found::Down(format!("no answer within {} ms", ANSWER_WITHIN.as_millis())),
        }
    }
}

/// Asks by a query.
async fn ask(server: &str, monitor: &Monitor, tls: &Live, kept: Option<Kept>) -> Result<(Role, Option<Kept>), Found> {
    let kept = match kept {
        Some(kept) => kept,
        None => log_in(server, monitor, tls).await.map_err(|error| judge(&error))?,
    };
    let row = kept.client.query_one(QUERY, &[]).await.map_err(|error| judge(&error))?;
    let role = match row.try_get(0) {
        Ok(true) => Role::Standby,
        Ok(false) => Role::Primary,
        Err(_) => Role::Unknown,
    };
    Ok((role, Some(kept)))
}

async fn log_in(server: &str, monitor: &Monitor, tls: &Live) -> Result<Kept, tokio_postgres::Error> {
    let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
    let host = host.trim_matches(['[', ']']);
    let driver = Driver::new(tls.server());
    let mut config = Config::new();
    config
        .host(host)
        .port(port.parse().unwrap_or(5432))
        .user(&monitor.user)
        .dbname(&monitor.database)
        .application_name(APPLICATION_NAME)
        .ssl_mode(driver.ssl_mode(host));
    if let Some(password) = &monitor.password {
        config.password(password.reveal());
    }
    let (client, connection) = config.connect(driver).await?;
    Ok(Kept { client, since: clock::now(), _carried: Carried::of(connection) })
}

/// A server that gives an error is there, unless the error says that it serves nobody.
fn judge(error: &tokio_postgres::Error) -> Found {
    const NOBODY: [SqlState; 3] = [SqlState::CANNOT_CONNECT_NOW, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    match error.as_db_error() {
        Some(said) if NOBODY.contains(said.code()) => Found::Down(said.message().to_owned()),
        Some(said) => Found::Refused(format!("{} ({})", said.message(), said.code().code())),
        None if lacks_password(error) => Found::Refused("it asks for a password, and the monitor has none".to_owned()),
        None => Found::Down(match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    }
}

/// Without a monitor: a request for TLS, which a server answers with one byte, and nothing more.
async fn knock(server: &str) -> Result<(), Found> {
    let (mut stream, _) = resolve_and_dial(server).await.map_err(|unreachable| Found::Down(unreachable.why))?;
    let answered = async {
        stream.write_all(&TLS_REQUEST).await?;
        stream.read_u8().await
    };
    answered.await.map(drop).map_err(|error| Found::Down(error.kind().to_string()))
}
