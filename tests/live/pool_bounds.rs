//! `[[pool]]`: pools with bounds of their own.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::pooling::{Pooled, one};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};

const SMALL: &str =
    "[[pool]]\nmatch = { user = 'replicator' }\npool_size = 1\nmin_pool_size = 1\nquery_wait_timeout = '1s'\n";

async fn in_transaction(pooled: &Pooled, user: &str) -> Client {
    let client = pooled.site.session(user).await;
    client.batch_execute("BEGIN; SELECT 1").await.unwrap();
    client
}

fn of_database(pooled: &Pooled, column: &str) -> String {
    let rows = pooled.site.proxy.console("SHOW DATABASES").unwrap();
    rows.into_iter().find(|row| row["name"] == pooled.site.database).unwrap().remove(column).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_has_the_bounds_of_its_entry_and_others_those_of_the_listener() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_bounds", 3, SMALL);
    let busy = in_transaction(&pooled, "replicator").await;
    let waiting = pooled.site.session("replicator").await;
    assert_eq!(of_database(&pooled, "pool_size"), "1");
    let others = [in_transaction(&pooled, "app").await, in_transaction(&pooled, "app").await];
    // The larger one of its two pools.
    assert_eq!(
        (of_database(&pooled, "pool_size").as_str(), of_database(&pooled, "min_pool_size").as_str()),
        ("3", "1")
    );
    let began = Instant::now();
    let refused = one(&waiting, "SELECT 1").await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "53300");
    // The listener's is 30 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((busy, waiting, others));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_gives_a_pool_another_size_and_takes_it_away() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_bounds_reload", 3, SMALL);
    let small = pooled.site.proxy.config_text();
    let reload = |config: &str| {
        pooled.site.proxy.write_config(config);
        pooled.site.proxy.console("RELOAD").unwrap();
    };
    let servers = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'replicator'";
        pooled.site.direct_sql(sql)
    };
    let busy = in_transaction(&pooled, "replicator").await;
    let waiting = pooled.site.session("replicator").await;
    reload(&small.replace("query_wait_timeout = \"1s\"", "query_wait_timeout = \"30s\""));
    let served = tokio::spawn(async move { (one(&waiting, "SELECT 'served'").await.unwrap(), waiting) });
    let pools = || pooled.site.proxy.console("SHOW POOLS").unwrap();
    assert!(wait_until(SOON, || pools().iter().any(|row| row["cl_waiting"] == "1")), "{:?}", pools());
    // Without the entry it has the listener's three.
    reload(small.split("[[pool]]").next().unwrap());
    let (said, waiting) = served.await.unwrap();
    assert_eq!((said.as_str(), servers().as_str()), ("served", "2"));
    drop((busy, waiting));
    reload(&small);
    assert!(wait_until(SOON, || servers() == "1"), "{}", servers());
    pooled.finish();
}
