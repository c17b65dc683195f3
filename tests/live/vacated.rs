//! A database that is dropped while a pool has servers there.

use tokio_postgres::{Client, NoTls};

use crate::pooling::{Pooled, one};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};

async fn session(pooled: &Pooled, database: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&pooled.site.proxy.conn_str("app", database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drops_a_database_is_not_kept_from_it_by_the_pools_own_servers() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("vacated", 2, "");
    let client = session(&pooled, &pooled.site.database).await;
    for (nth, quoted) in ["", "\""].into_iter().enumerate() {
        let side = format!("{}_side{nth}", pooled.site.database);
        pooled.site.direct_sql(&format!("CREATE DATABASE {side} OWNER app"));
        let visitor = session(&pooled, &side).await;
        assert_eq!(one(&visitor, "SELECT current_database()").await.unwrap(), side);
        let servers = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{side}' AND usename = 'app'");
        assert_eq!(pooled.site.direct_sql(&servers), "1", "it is kept");
        let drop = format!("DROP DATABASE {quoted}{side}{quoted}");
        // In the simple protocol and in the extended one.
        if nth == 0 { client.batch_execute(&drop).await } else { client.execute(&drop, &[]).await.map(|_| ()) }
            .unwrap();
        // Nobody is left without an answer.
        let refused = one(&visitor, "SELECT 1").await.unwrap_err();
        assert!(refused.as_db_error().is_some(), "{refused:?}");
    }
    assert_eq!(one(&client, "SELECT 1").await.unwrap(), "1");
    drop(client);
    pooled.site.proxy.console("RECONNECT").unwrap();
    assert!(wait_until(SOON, || pooled.servers() == 0));
    pooled.finish();
}
