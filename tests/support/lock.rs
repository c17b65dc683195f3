//! A lock at a test's server: what waits for it ends when the test says so, however slowly that goes.

use super::cluster::Cluster;
use super::process::{SOON, wait_until};
use super::raw::{Raw, query};

/// Held by a session of its own, until dropped.
#[derive(Debug)]
pub struct Lock<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    _holder: Raw,
}

impl<'a> Lock<'a> {
    /// In this database.
    pub fn hold(cluster: &'a Cluster, database: &'a str) -> Self {
        let mut holder = Raw::login(cluster.port, "postgres", database).unwrap();
        holder.rows("SELECT pg_advisory_lock(1)");
        Self { cluster, database, _holder: holder }
    }

    /// What waits for it, and then tells this word. It leaves nothing behind in its session.
    pub fn waits(word: &str) -> Vec<u8> {
        query(&format!("SELECT '{word}' FROM pg_advisory_xact_lock(1)"))
    }

    /// Waits until somebody waits for it at the server.
    pub fn is_waited_for(&self) {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        assert!(wait_until(SOON, || self.cluster.sql(self.database, waiting) == "1"), "nobody waits for the lock");
    }

    /// Has a client wait for it at the server: one row, once this is dropped.
    pub fn keep(&self, client: &mut Raw) {
        client.send(&Self::waits("kept"));
        self.is_waited_for();
    }
}
