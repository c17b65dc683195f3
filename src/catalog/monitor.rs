//! The monitor: opens its connections, reads what is due, says what to do where it can't.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Config};

use crate::clock;
use crate::config::{Listener, Monitor};
use crate::net::driver::Driver;
use crate::net::library::{Carried, lacks_password};
use crate::telemetry::{Gate, Pass};

use super::database::{Database, NEVER_SEEN_MS, Why};
use super::picture::Reading;
use super::{Catalog, DATABASES_MAX, limit, read};

/// How to reach the server, and as whom.
#[derive(Debug)]
pub(super) struct Reader {
    listener: String,
    monitor: Monitor,
    host: String,
    port: u16,
    gate: Gate,
}

/// An open connection and the database it is in.
struct Session {
    database: Box<str>,
    client: Client,
    /// The server's own `search_path`, as far as the monitor can see it.
    path: Option<String>,
    _carried: Carried,
}

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", describe(.0))]
    Server(#[from] tokio_postgres::Error),
    #[error("no answer within {} s", READ_TIMEOUT.as_secs())]
    Timeout,
}

impl PartialEq for Reader {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_server(other) && self.monitor == other.monitor
    }
}

impl Reader {
    pub(super) fn new(listener: &Listener) -> Option<Self> {
        let monitor = listener.monitor.clone()?;
        let (host, port) = address(listener.servers.first()?);
        Some(Self { listener: listener.name.clone(), monitor, host, port, gate: Gate::default() })
    }

    /// True where what the other one has read holds for this one too.
    pub(super) fn is_same_server(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }

    /// Reads what is due, for ever.
    pub(super) async fn run(&self, catalog: &Catalog) {
        // Stays known without a session asking, since it is where the server's limit is read from.
        let home = Arc::new(Database::new(&self.monitor.database, clock::uptime_ms()));
        let mut kept: Option<Session> = None;
        let mut slots_due_ms = 0;
        loop {
            let now_ms = clock::uptime_ms();
            if slots_due_ms <= now_ms && home.due_ms() <= now_ms {
                home.begin(now_ms);
                let learnt = self.learn(catalog, &mut kept).await;
                slots_due_ms = now_ms.saturating_add(if learnt.is_ok() { SLOTS_MS } else { 0 });
                self.settle(&home, learnt.map(|()| Reading::default()));
            }
            // One after the other: whatever a session asks for meanwhile comes before the rest.
            for _ in 0..due(catalog, clock::uptime_ms()).len() {
                let Some(database) = due(catalog, clock::uptime_ms()).into_iter().next() else { break };
                let why = database.begin(clock::uptime_ms());
                let reading = self.read(catalog, &database, why, &mut kept).await;
                if self.settle(&database, reading) {
                    catalog.generation.fetch_add(1, Ordering::AcqRel);
                }
            }
            let next_ms = next(catalog).min(slots_due_ms.max(home.due_ms()));
            let pause = Duration::from_millis(next_ms.saturating_sub(clock::uptime_ms()).max(PAUSE_MIN_MS));
            tokio::select! {
                () = sleep(pause) => {}
                () = catalog.wake.notified() => {}
            }
        }
    }

    /// Asks how many connections the server has room for, and which databases there are, through whatever connection there is:
    /// so the first statement of a database finds its tables known.
    async fn learn(&self, catalog: &Catalog, kept: &mut Option<Session>) -> Result<(), Failure> {
        let usable = kept.take_if(|session| !session.client.is_closed());
        let session = match usable {
            Some(session) => session,
            None => self.connect(catalog, &self.monitor.database).await?,
        };
        let slots = bounded(read::slots(&session.client)).await?;
        let databases = bounded(read::databases(&session.client, DATABASES_MAX as i64)).await?;
        *kept = Some(session);
        databases.iter().for_each(|name| catalog.expect(name));
        let limit = limit::learnt(slots);
        if catalog.server_limit.swap(limit, Ordering::Relaxed) != limit {
            tracing::info!(listener = self.listener, max_server_connections = limit, "learnt from the server");
        }
        Ok(())
    }

    /// Reads one database. Only a connection to the monitor's own database is kept: one to any other would stand in the way of
    /// whoever drops or renames that database, or copies it.
    async fn read(
        &self,
        catalog: &Catalog,
        database: &Database,
        why: Why,
        kept: &mut Option<Session>,
    ) -> Result<Reading, Failure> {
        let open = |session: &mut Session| session.database == database.name && !session.client.is_closed();
        let session = match kept.take_if(open) {
            Some(session) => session,
            None => self.connect(catalog, &database.name).await?,
        };
        let now_ms = clock::uptime_ms();
        let known = database.columns(why, now_ms);
        let reading = bounded(read::reading(&session.client, session.path.clone(), known, now_ms)).await?;
        if *session.database == *self.monitor.database {
            *kept = Some(session);
        }
        Ok(reading)
    }

    /// Notes how a read went; true where something has changed.
    fn settle(&self, database: &Database, outcome: Result<Reading, Failure>) -> bool {
        match outcome {
            Ok(reading) => database.succeed(reading),
            Err(failure) => {
                self.warn(&database.name, &failure);
                database.fail(clock::uptime_ms())
            }
        }
    }

    fn warn(&self, database: &str, failure: &Failure) {
        let Pass::Write { suppressed } = self.gate.pass(database) else { return };
        let (user, server) = (&self.monitor.user, format_args!("{}:{}", self.host, self.port));
        let remedy = match failure {
            Failure::Server(error) if error.as_db_error().is_some() || lacks_password(error) => format!(
                "What it needs, as a superuser: CREATE ROLE {user} LOGIN PASSWORD '…'; GRANT CONNECT ON DATABASE \
                 {database:?} TO {user}; a line for it in pg_hba.conf; and the password in `monitor` of the listener"
            ),
            Failure::Server(_) | Failure::Timeout => format!("See that the server {server} runs and can be reached"),
        };
        tracing::warn!(
            listener = self.listener,
            database,
            suppressed,
            "the monitor can't read the catalogue, so tables count as unknown: {failure}. {remedy}"
        );
    }

    async fn connect(&self, catalog: &Catalog, database: &str) -> Result<Session, Failure> {
        let driver = Driver::new(catalog.tls.get().and_then(|tls| tls.server()));
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.monitor.user)
            .dbname(database)
            .application_name(APPLICATION_NAME)
            .ssl_mode(driver.ssl_mode(&self.host))
            .connect_timeout(CONNECT_TIMEOUT)
            .options(OPTIONS);
        if let Some(password) = &self.monitor.password {
            config.password(password.reveal());
        }
        let (client, connection) = bounded(config.connect(driver)).await?;
        let mut session = Session { database: database.into(), client, path: None, _carried: Carried::of(connection) };
        session.path = bounded(read::server_path(&session.client)).await?;
        Ok(session)
    }
}

/// Nothing the monitor does takes longer than this, whatever the server is up to.
async fn bounded<T>(work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
    match timeout(READ_TIMEOUT, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Failure::Timeout),
    }
}

/// What is to be read by now, in that order: first what sessions have asked for.
fn due(catalog: &Catalog, now_ms: u64) -> Vec<Arc<Database>> {
    let databases = catalog.databases.load();
    let mut due: Vec<_> = databases.values().filter(|database| database.due_ms() <= now_ms).cloned().collect();
    due.sort_by_key(|database| (database.seen_ms() == NEVER_SEEN_MS, database.due_ms()));
    due
}

fn next(catalog: &Catalog) -> u64 {
    catalog.databases.load().values().map(|database| database.due_ms()).min().unwrap_or(u64::MAX)
}

/// `host:port`, `[v6]:port`, or a host alone.
fn address(server: &str) -> (String, u16) {
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
        _ => (server, None),
    };
    (host.trim_matches(['[', ']']).to_owned(), port.unwrap_or(5432))
}

/// The server's own words, which the error's text leaves out.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// So that an operator sees at once whose connection it is.
const APPLICATION_NAME: &str = "floodwall-monitor";
/// The monitor changes nothing and waits for nobody. That it trusts no other schema's functions is its first statement.
const OPTIONS: &str = "-c statement_timeout=2000 -c lock_timeout=200 -c default_transaction_read_only=on";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks at the server's limit.
const SLOTS_MS: u64 = 60_000;
/// The loop never spins.
const PAUSE_MIN_MS: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Sight;

    #[test]
    fn what_sessions_ask_for_is_read_before_what_is_only_there() {
        let catalog = Catalog::new(&Listener {
            servers: vec!["127.0.0.1:1".into()],
            monitor: Some(Monitor { user: "floodwall".into(), password: None, database: "postgres".into() }),
            ..Listener::default()
        });
        (0..40).for_each(|number| catalog.expect(&format!("db{number}")));
        let names =
            |count: usize| due(&catalog, 1).iter().take(count).map(|db| db.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(99).len(), 40);
        // One that is known of already, and one that is not.
        for asked in ["db7", "late"] {
            assert!(catalog.schema(asked, Sight::Changed).is_none());
        }
        let mut first = names(2);
        first.sort_unstable();
        assert_eq!((first, names(99).len()), (vec!["db7".to_owned(), "late".to_owned()], 41));
    }

    #[test]
    fn servers_are_host_and_port() {
        let table = [
            ("db.example:5433", "db.example", 5433),
            ("10.0.0.1:5432", "10.0.0.1", 5432),
            ("[::1]:5499", "::1", 5499),
            ("::1", "::1", 5432),
            ("db.example", "db.example", 5432),
        ];
        for (server, host, port) in table {
            assert_eq!(address(server), (host.to_owned(), port), "{server}");
        }
    }
}
