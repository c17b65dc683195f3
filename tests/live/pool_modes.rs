//! `[[pool]]` with a mode of its own: clients that have a server each beside others that are lent one, on one listener.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_postgres::Client;

use crate::pooling::{Pooled, one};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};

/// `replicator` has a server for each session.
const SESSIONS: &str = "[[pool]]\nmatch = { user = 'replicator' }\npool = 'session'\n";

const PID: &str = "SELECT pg_backend_pid()";

fn reload(pooled: &Pooled, config: &str) {
    pooled.site.proxy.write_config(config);
    pooled.site.proxy.console("RELOAD").unwrap();
}

/// A column of a table of the console, of each user in turn.
fn of_users(pooled: &Pooled, column: &str) -> Vec<(String, String)> {
    let rows = pooled.site.proxy.console("SHOW POOLS").unwrap();
    rows.into_iter().map(|mut row| (row.remove("user").unwrap(), row.remove(column).unwrap())).collect()
}

fn users(of: [(&str, &str); 2]) -> Vec<(String, String)> {
    of.map(|(user, value)| (user.to_owned(), value.to_owned())).into()
}

/// The servers that each of these clients has, asked several times in turn.
async fn servers_of(clients: &[Client]) -> Vec<BTreeSet<String>> {
    let mut found = vec![BTreeSet::new(); clients.len()];
    for _ in 0..3 {
        for (client, servers) in clients.iter().zip(&mut found) {
            servers.insert(one(client, PID).await.unwrap());
        }
    }
    found
}

async fn sessions(pooled: &Pooled, user: &str, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(pooled.site.session(user).await);
    }
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_one_user_keep_their_servers_while_others_are_lent_theirs() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_modes", 1, SESSIONS);
    let (own, lent) = (sessions(&pooled, "replicator", 3).await, sessions(&pooled, "app", 3).await);
    let (of_own, of_lent) = (servers_of(&own).await, servers_of(&lent).await);
    let all = |found: &[BTreeSet<String>]| found.iter().flatten().cloned().collect::<BTreeSet<_>>().len();
    // One each, whatever the size of pools.
    assert_eq!((of_own.iter().map(BTreeSet::len).max(), all(&of_own)), (Some(1), 3));
    assert_eq!(all(&of_lent), 1);
    assert_eq!(of_users(&pooled, "pool_mode"), users([("app", "transaction"), ("replicator", "session")]));
    assert_eq!(of_users(&pooled, "sv_active"), users([("app", "0"), ("replicator", "3")]));
    let databases = pooled.site.proxy.console("SHOW DATABASES").unwrap();
    let mut rows: Vec<_> = databases.iter().map(|row| (row["pool_mode"].as_str(), row["pool_size"].as_str())).collect();
    rows.sort_unstable();
    assert_eq!(rows, [("session", "0"), ("transaction", "1")]);
    // What a session keeps at its server is there in the next transaction, and pins nothing.
    own[0].batch_execute("CREATE TEMP TABLE kept AS SELECT 7 AS it; SELECT setseed(0.5); LISTEN here").await.unwrap();
    assert_eq!(one(&own[0], "SELECT it FROM kept").await.unwrap(), "7");
    assert!(pooled.site.proxy.console("SHOW PINS").unwrap().is_empty());
    assert_eq!(servers_of(&own).await, of_own);
    drop((own, lent));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_lent_to_one_user_of_a_listener_where_sessions_have_their_own() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_modes_lent", 5, "");
    let config = pooled.site.proxy.config_text().replace("pool = \"transaction\"", "pool = \"session\"");
    reload(&pooled, &format!("{config}\n[[pool]]\nmatch = {{ user = 'app' }}\npool = 'transaction'\npool_size = 1\n"));
    let (own, lent) = (sessions(&pooled, "replicator", 2).await, sessions(&pooled, "app", 4).await);
    let count = |found: Vec<BTreeSet<String>>| found.into_iter().flatten().collect::<BTreeSet<_>>().len();
    assert_eq!((count(servers_of(&own).await), count(servers_of(&lent).await)), (2, 1));
    assert_eq!(of_users(&pooled, "pool_mode"), users([("app", "transaction"), ("replicator", "session")]));
    lent[0].batch_execute("SET work_mem = '77MB'").await.unwrap();
    assert_eq!(one(&lent[0], "SHOW work_mem").await.unwrap(), "77MB");
    assert_ne!(one(&lent[1], "SHOW work_mem").await.unwrap(), "77MB");
    drop((own, lent));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_who_comes_has_the_new_mode_and_who_is_there_the_old_one() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_modes_reload", 1, "");
    let lending = pooled.site.proxy.config_text();
    let before = sessions(&pooled, "replicator", 2).await;
    reload(&pooled, &format!("{lending}\n{SESSIONS}"));
    let after = sessions(&pooled, "replicator", 2).await;
    let count = |found: Vec<BTreeSet<String>>| found.into_iter().flatten().collect::<BTreeSet<_>>().len();
    assert_eq!((count(servers_of(&before).await), count(servers_of(&after).await)), (1, 2));
    reload(&pooled, &lending);
    let again = sessions(&pooled, "replicator", 2).await;
    assert_eq!((count(servers_of(&after).await), count(servers_of(&again).await)), (2, 1));
    assert_eq!(servers_of(&again).await, servers_of(&before).await);
    drop((before, after, again));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_its_own_takes_the_place_of_an_idle_server_of_a_pool_and_waits_for_a_busy_one() {
    if direct() {
        return;
    }
    let keys = format!("max_server_connections = 1\n{SESSIONS}");
    let pooled = Pooled::new("pool_modes_place", 3, &keys);
    let lent = pooled.site.session("app").await;
    assert_eq!(one(&lent, "SELECT 1").await.unwrap(), "1");
    let own = pooled.site.session("replicator").await;
    assert_eq!(pooled.servers(), 0, "its place went to the session");
    // Now it is the pool that waits.
    let waiting = tokio::spawn(async move { (one(&lent, "SELECT 'served'").await.unwrap(), lent) });
    assert!(wait_until(SOON, || of_users(&pooled, "cl_waiting").contains(&("app".to_owned(), "1".to_owned()))));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(one(&own, "SELECT 'its own'").await.unwrap(), "its own");
    drop(own);
    let (said, lent) = waiting.await.unwrap();
    assert_eq!(said, "served");
    drop(lent);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn during_a_pause_a_session_of_its_own_waits_to_come_in_and_one_that_is_lent_servers_with_its_first_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_modes_pause", 2, SESSIONS);
    // What a pool's servers say is known from now on.
    drop(pooled.site.session("app").await);
    pooled.site.proxy.console(&format!("PAUSE {}", pooled.site.database)).unwrap();
    let lent = pooled.site.session("app").await;
    let mut coming = Box::pin(pooled.site.session("replicator"));
    tokio::select! {
        _ = &mut coming => panic!("it came in"),
        () = tokio::time::sleep(Duration::from_millis(500)) => {}
    }
    pooled.site.proxy.console(&format!("RESUME {}", pooled.site.database)).unwrap();
    let own = coming.as_mut().await;
    drop(coming);
    assert_eq!((one(&own, "SELECT 1").await.unwrap(), one(&lent, "SELECT 2").await.unwrap()), ("1".into(), "2".into()));
    drop((own, lent));
    pooled.finish();
}

/// The least of a pool was kept for ever, although nobody could come to it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_users_have_sessions_from_now_on_keeps_no_server() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_modes_least", 2, "min_pool_size = 1\nserver_idle_timeout = '1s'\n");
    let servers = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'replicator'";
        pooled.site.direct_sql(sql)
    };
    drop(sessions(&pooled, "replicator", 1).await);
    assert!(wait_until(SOON, || servers() == "1"), "{}", servers());
    reload(&pooled, &format!("{}\n{SESSIONS}", pooled.site.proxy.config_text()));
    assert!(wait_until(SOON, || servers() == "0"), "{}", servers());
    pooled.finish();
}
