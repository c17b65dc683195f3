//! The connection that asks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Row};

use super::Found;
use crate::auth::accounts::{Account, Credential};
use crate::clock::{self, Instant};
use crate::config::AuthQuery;
use crate::net::driver::Ready;
use crate::net::stream::Stream;

/// For connecting, and for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failed attempt nobody dials for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// Microseconds in a second, and seconds from 1970 to 2000, from where PostgreSQL counts.
const MICROS: i64 = 1_000_000;
const EPOCH: i64 = 946_684_800;

/// One connection, made when it is needed.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    client: Option<(Arc<AuthQuery>, Arc<Client>)>,
    failed: Option<Instant>,
}

/// Why there is no answer.
enum Unanswered {
    /// The connection hangs or has broken.
    Lost(String),
    /// The server says why, or what it said is no answer.
    Told(String),
}

impl Link {
    /// Asks for a user. The error says why that was not possible. A connection that hangs or breaks meanwhile is no reason to turn anybody
    /// away: another one is asked, once.
    pub(super) async fn ask<D>(
        &self,
        settings: &Arc<AuthQuery>,
        user: &str,
        dial: &impl Fn() -> D,
    ) -> Result<Found, String>
    where
        D: Future<Output = Result<Stream, String>>,
    {
        let client = self.client(settings, dial).await?;
        let mut answer = query(&client, settings, user).await;
        if let Err(Unanswered::Lost(_)) = answer {
            self.forget(&client).await;
            let client = self.client(settings, dial).await?;
            answer = query(&client, settings, user).await;
        }
        answer.map_err(|(Unanswered::Lost(why) | Unanswered::Told(why))| why)
    }

    /// Nobody else asks this one. Those who wait for its answer do so until their own time is up.
    async fn forget(&self, lost: &Arc<Client>) {
        let mut state = self.state.lock().await;
        if state.client.as_ref().is_some_and(|(_, client)| Arc::ptr_eq(client, lost)) {
            state.client = None;
        }
    }

    async fn client<D>(&self, settings: &Arc<AuthQuery>, dial: &impl Fn() -> D) -> Result<Arc<Client>, String>
    where
        D: Future<Output = Result<Stream, String>>,
    {
        let mut state = self.state.lock().await;
        if let Some((of, client)) = &state.client
            && of == settings
            && !client.is_closed()
        {
            return Ok(Arc::clone(client));
        }
        state.client = None;
        if state.failed.is_some_and(|failed| clock::now().saturating_duration_since(failed) < PAUSE) {
            return Err("the server could not be reached a moment ago".to_owned());
        }
        let connected = timeout(PATIENCE, connect(settings, dial)).await;
        match connected.unwrap_or_else(|_| Err("the server did not let us in in time".to_owned())) {
            Ok(client) => {
                let client = Arc::new(client);
                state.client = Some((Arc::clone(settings), Arc::clone(&client)));
                state.failed = None;
                Ok(client)
            }
            Err(why) => {
                state.failed = Some(clock::now());
                Err(why)
            }
        }
    }
}

async fn query(client: &Client, settings: &AuthQuery, user: &str) -> Result<Found, Unanswered> {
    let Ok(rows) = timeout(PATIENCE, client.query(&settings.query, &[&user])).await else {
        return Err(Unanswered::Lost("the server did not answer in time".to_owned()));
    };
    let of = if client.is_closed() { Unanswered::Lost } else { Unanswered::Told };
    let rows = rows.map_err(|error| of(describe(&error)))?;
    rows.first().map_or(Ok(Found::Nobody), read).map_err(Unanswered::Told)
}

async fn connect<D>(settings: &AuthQuery, dial: &impl Fn() -> D) -> Result<Client, String>
where
    D: Future<Output = Result<Stream, String>>,
{
    let mut config = tokio_postgres::Config::new();
    config.user(&settings.user).dbname(&settings.database).application_name("floodwall auth_query");
    // Nothing that a schema holds may stand in for the catalogue.
    config.options("-c search_path=pg_catalog -c statement_timeout=5s");
    if let Some(password) = &settings.password {
        config.password(password.reveal());
    }
    let stream = dial().await?;
    Ready::settle(&stream, &mut config);
    let (client, connection) = config.connect_raw(stream, Ready).await.map_err(|error| describe(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

/// What is not found may be there, in a schema that is not searched.
const PINNED: &str = "; search_path is pg_catalog alone, so a name of another schema has to be written in full, as in floodwall.verifier";

/// A function or table is not found by its name.
fn is_unqualified(code: &SqlState) -> bool {
    [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE].contains(code)
}

/// SQLSTATE and text; the driver's own wording hides both.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) if is_unqualified(error.code()) => format!("{} ({}){PINNED}", error.message(), error.code().code()),
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => error.to_string(),
    }
}

/// Name, hash and, where the query gives it, the moment until when it is valid.
fn read(row: &Row) -> Result<Found, String> {
    let hash: Option<String> = row.try_get(1).map_err(|_| "auth_query must give the hash as text second".to_owned())?;
    let valid_until = match row.len() {
        0..=2 => None,
        _ => row.try_get::<_, Option<Moment>>(2).map_err(|_| "auth_query must give a timestamp third".to_owned())?,
    };
    let Some(credential) = hash.as_deref().and_then(Credential::stored) else { return Ok(Found::Nobody) };
    Ok(Found::Account(Arc::new(Account { credential, valid_until: valid_until.and_then(Moment::seconds) })))
}

/// A timestamp as the server counts it: microseconds since 2000.
struct Moment(i64);

impl Moment {
    /// Since 1970; `None` for `infinity`.
    const fn seconds(self) -> Option<i64> {
        match self.0 {
            i64::MAX => None,
            i64::MIN => Some(i64::MIN),
            micros => Some(micros.div_euclid(MICROS).saturating_add(EPOCH)),
        }
    }
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TIMESTAMPTZ | Type::TIMESTAMP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_count_from_1970_and_infinity_is_none() {
        assert_eq!(Moment(0).seconds(), Some(946_684_800));
        assert_eq!(Moment(-1).seconds(), Some(946_684_799));
        assert_eq!((Moment(i64::MAX).seconds(), Moment(i64::MIN).seconds()), (None, Some(i64::MIN)));
    }
}
