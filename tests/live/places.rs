//! `max_server_connections` where pools share it: with sessions that have a server of their own, and when it becomes lower.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::future::join_all;
use tokio_postgres::Client;

use crate::pooling::{Pooled, one};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};

const REPLICATES: &str = "[[client]]\nname = 'standby'\nmatch = { user = 'replicator' }\nreplication = true";

/// So many clients that each have had a server at the same time.
async fn clients(pooled: &Pooled, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = pooled.site.session("app").await;
        client.batch_execute("BEGIN; SELECT 1").await.unwrap();
        clients.push(client);
    }
    join_all(clients.iter().map(|client| client.batch_execute("COMMIT"))).await.into_iter().for_each(Result::unwrap);
    clients
}

/// Identifies the server by a replication connection.
async fn replicate(pooled: &Pooled) -> Result<String, String> {
    let mut psql = pg("psql", pooled.site.proxy.port, "replicator", &pooled.site.database);
    psql.args(["-XAtq", "-c", "IDENTIFY_SYSTEM"]).arg(format!("dbname={} replication=on", pooled.site.database));
    let out = tokio::task::spawn_blocking(move || psql.output().unwrap()).await.unwrap();
    if out.status.success() { Ok(stdout(&out)) } else { Err(stderr(&out)) }
}

/// Has a client at work without a pause until that is true.
fn at_work(client: Client, enough: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Client> {
    let enough = Arc::clone(enough);
    tokio::spawn(async move {
        while !enough.load(Ordering::Relaxed) {
            one(&client, "SELECT 1").await.unwrap();
        }
        client
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_connection_gets_the_place_of_an_idle_server() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("place_idle", 5, &format!("max_server_connections = 2\n{REPLICATES}"));
    let clients = clients(&pooled, 2).await;
    assert_eq!(pooled.servers(), 2);
    // It was refused after `caps.queue_wait`: "The server's connections are all in use".
    replicate(&pooled).await.unwrap();
    assert_eq!(one(&clients[0], "SELECT 5").await.unwrap(), "5");
    drop(clients);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_connection_gets_the_place_of_a_pool_that_is_at_work() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("place_busy", 5, &format!("max_server_connections = 2\n{REPLICATES}"));
    let clients = clients(&pooled, 2).await;
    let more = join_all((0..4).map(|_| pooled.site.session("app"))).await;
    let enough = Arc::default();
    let tasks: Vec<_> = clients.into_iter().chain(more).map(|client| at_work(client, &enough)).collect();
    replicate(&pooled).await.unwrap();
    enough.store(true, Ordering::Relaxed);
    for task in tasks {
        drop(task.await.unwrap());
    }
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_bound_by_reload_closes_servers_of_pools_idle_and_at_work() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("place_lower", 6, "");
    let large = pooled.site.proxy.config_text();
    let small = large.replace("pool_size = 6\n", "pool_size = 6\nmax_server_connections = 2\n");
    assert_ne!(small, large);
    let clients = clients(&pooled, 6).await;
    assert_eq!(pooled.servers(), 6);
    let reload = |config: &str| {
        pooled.site.proxy.write_config(config);
        pooled.site.proxy.console("RELOAD").unwrap();
    };
    let began = Instant::now();
    reload(&small);
    assert!(wait_until(SOON, || pooled.servers() == 2), "{} are left, idle", pooled.servers());
    assert!(began.elapsed() < SOON);
    reload(&large);
    let enough = Arc::default();
    let begun = clients.iter().map(|client| client.batch_execute("BEGIN; SELECT 1"));
    join_all(begun).await.into_iter().for_each(Result::unwrap);
    join_all(clients.iter().map(|client| client.batch_execute("COMMIT"))).await.into_iter().for_each(Result::unwrap);
    assert_eq!(pooled.servers(), 6);
    let tasks: Vec<_> = clients.into_iter().map(|client| at_work(client, &enough)).collect();
    reload(&small);
    let less = wait_until(SOON, || pooled.servers() == 2);
    enough.store(true, Ordering::Relaxed);
    for task in tasks {
        drop(task.await.unwrap());
    }
    assert!(less, "{} are left", pooled.servers());
    pooled.finish();
}
