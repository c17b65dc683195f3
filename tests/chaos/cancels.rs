//! Cancels, where one server serves everybody.

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::conn::{Buffers, Conn, Fault};
use crate::deaths::cancel_at;
use crate::scene::{DEADLINE, LENT, Mode};
use crate::support::cluster::{Cluster, password};
use crate::support::floodwall::Proxy;
use crate::support::lock::Lock;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{self, VERSION_3_0, startup};

/// A proxy with few servers.
#[derive(Debug)]
pub(crate) struct Few {
    proxy: Proxy,
    _folder: Scratch,
}

impl Few {
    /// So many, behind the port.
    pub(crate) fn new(port: u16, size: usize) -> Self {
        let folder = Scratch::new("few");
        let config = Mode::Transaction(size).config(&folder);
        Self { proxy: Proxy::start_for(&format!("127.0.0.1:{port}"), &config), _folder: folder }
    }

    pub(crate) fn port(&self) -> u16 {
        self.proxy.port
    }

    pub(crate) async fn client(&self) -> Result<Conn, Fault> {
        self.client_with(Buffers::Usual).await
    }

    async fn client_with(&self, buffers: Buffers) -> Result<Conn, Fault> {
        let mut conn = Conn::open(self.proxy.port, buffers).await?;
        conn.send(&startup(VERSION_3_0, &[("user", LENT), ("database", "app")])).await?;
        conn.finish_login(password(LENT)).await?;
        Ok(conn)
    }

    /// Idle servers go after their time; then nothing may be held.
    pub(crate) fn finish(self, cluster: &Cluster) {
        let servers = || cluster.sql("app", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'");
        assert!(wait_until(SOON, || servers() == "0"), "{} servers are left", servers());
        self.proxy.assert_all_zero();
    }
}

/// Waits until a statement with that word sleeps in the server.
async fn sleeps(cluster: &Cluster, word: &str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%{word}%'");
    assert!(wait_until(DEADLINE, || cluster.sql("app", &sql) == "1"), "nobody sleeps for {word}");
}

/// A hundred cancels for the statement that has the only server; those that wait for it are not hit, before and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_cancels_at_once_hit_one_client_of_a_pool_of_one() -> Result<(), Fault> {
    let cluster = Cluster::start(&[]);
    let few = Few::new(cluster.port, 1);
    let mut busy = few.client().await?;
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(few.client().await?);
    }
    for turn in 0..5 {
        busy.send(&raw::query(&format!("SELECT 'busy{turn}' FROM pg_sleep(60)"))).await?;
        sleeps(&cluster, &format!("busy{turn}")).await;
        for (number, other) in others.iter_mut().enumerate() {
            other.send(&raw::query(&format!("SELECT 'other{number}.{turn}' FROM pg_sleep(0.01)"))).await?;
        }
        let mut storm: JoinSet<()> = (0..100).map(|_| cancel_at(few.port(), busy.key.clone())).collect();
        let ended = timeout(DEADLINE, busy.reply()).await.expect("the statement was not cancelled")?;
        ended.failed("57014")?;
        for (number, other) in others.iter_mut().enumerate() {
            let reply = timeout(DEADLINE, other.reply()).await.expect("who waits is not served")?;
            reply.is(&[&[&format!("other{number}.{turn}")]])?;
        }
        while storm.join_next().await.is_some() {}
    }
    busy.query("SELECT 'still here'").await?.is(&[&["still here"]])?;
    drop((busy, others));
    few.finish(&cluster);
    Ok(())
}

/// The key of a client that left is known until its last words are read or given up; its server may be somebody else's by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_client_that_left_leads_to_no_server_that_was_given_back() -> Result<(), Fault> {
    let cluster = Cluster::start(&[]);
    let few = Few::new(cluster.port, 1);
    let mut next = few.client().await?;
    for turn in 0.. {
        let mut leaver = few.client_with(Buffers::Narrow).await?;
        // More than all buffers on the way to it hold: it has the server now, and reads neither this nor its last words.
        leaver.send(&raw::query("SELECT repeat('x', 1000) FROM generate_series(1, 8000)")).await?;
        leaver.message().await?;
        let name = format!("next{turn}");
        let lock = Lock::hold(&cluster, "app");
        next.send(&Lock::waits(&name)).await?;
        leaver.half_close().await;
        lock.is_waited_for();
        cancel_at(few.port(), leaver.key.clone()).await;
        let known = few.proxy.console("SHOW CLIENTS").unwrap().len() == 2;
        drop(lock);
        next.reply().await?.is(&[&[&name]])?;
        if known {
            break;
        }
        assert!(turn < 20, "its last words were given up each time before the cancel came");
    }
    drop(next);
    few.finish(&cluster);
    Ok(())
}
