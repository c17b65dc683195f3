//! The usual scene of a test: a database of its own in the shared server, and a proxy of its own in front.

use std::process::{Command, Output};
use std::time::Duration;

use super::cluster::{Cluster, run};
use super::command::{pg, stdout};
use super::floodwall::Proxy;
use super::process::{SOON, wait_until};
use super::raw::Raw;

/// A proxy in front of the shared server, and a fresh database.
#[derive(Debug)]
pub struct Site {
    /// The server: for looking at it directly.
    pub cluster: &'static Cluster,
    /// The proxy under test.
    pub proxy: Proxy,
    /// The test's own database, owned by `app`.
    pub database: String,
}

impl Site {
    /// `label` becomes part of the database's name; `overrides` as in [`Proxy::start`].
    pub fn new(label: &str, overrides: &str) -> Self {
        Self::prepared(label, overrides, "")
    }

    /// The same with SQL that runs at the server before the proxy starts.
    pub fn prepared(label: &str, overrides: &str, sql: &str) -> Self {
        let cluster = Cluster::shared();
        let database = cluster.create_database(label);
        if !sql.is_empty() {
            cluster.sql(&database, sql);
        }
        Self { cluster, proxy: Proxy::start(cluster, overrides), database }
    }

    /// Waits until the proxy has read how large `table` is: from then on a SELECT of all of it is refused.
    pub fn knows_its_tables(&self, table: &str) -> bool {
        let mut session = self.raw();
        wait_until(SOON * 2, || {
            // Until then `result_budget` may cut the reply.
            let refused = session.query(&format!("SELECT 1 FROM {table}")).iter().any(|m| {
                m.code == b'E' && m.field(b'M').is_some_and(|text| text.starts_with("FLOODWALL[rule=unbounded_select]"))
            });
            if !refused {
                std::thread::sleep(Duration::from_millis(200));
            }
            refused
        })
    }

    /// A raw session of the superuser, who needs no password.
    pub fn raw(&self) -> Raw {
        let session = Raw::login(self.proxy.port, "postgres", &self.database);
        session.unwrap_or_else(|error| panic!("login: {}", error.summary()))
    }

    /// A PostgreSQL program as `app`, through the proxy.
    pub fn program(&self, name: &str) -> Command {
        pg(name, self.proxy.port, "app", &self.database)
    }

    /// psql as `app`, through the proxy, unaligned, stopping at the first error.
    pub fn psql(&self, args: &[&str]) -> Command {
        let mut psql = self.program("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1"]).args(args);
        psql
    }

    /// Runs SQL with psql through the proxy; what it prints.
    pub fn sql(&self, sql: &str) -> String {
        stdout(&self.psql_ok(&["-c", sql]))
    }

    /// psql that must succeed.
    pub fn psql_ok(&self, args: &[&str]) -> Output {
        run(&mut self.psql(args))
    }

    /// Runs SQL directly at the server as superuser.
    pub fn direct_sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.database, sql)
    }

    /// A tokio-postgres session of `user` through the proxy, driven by a task of the current runtime.
    pub async fn session(&self, user: &str) -> tokio_postgres::Client {
        let target = self.proxy.conn_str(user, &self.database);
        let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The end of every test: nothing may be held any more.
    pub fn finish(self) {
        self.proxy.assert_all_zero();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the server logged of this database ---\n{}", self.cluster.last_words(&self.database));
        }
    }
}
