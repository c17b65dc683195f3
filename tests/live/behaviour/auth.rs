//! Logins to a pool by what the server knows of its roles.

use super::SOON;
use crate::pooling::one;
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::site::Site;

const LISTENER: &str = "[[listener]]\nlogin = 'query'\nauth = { user = 'postgres', database = 'postgres' }\n\
                        pool = 'transaction'\npool_size = 2\nserver_idle_timeout = '1s'\n";

/// Floodwall never learns a password: a client's own login shows it the key that servers are logged in with.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_holds_for_the_next_login_and_the_next_server() {
    if direct() {
        return;
    }
    let role = "DROP ROLE IF EXISTS bhv_changes; CREATE ROLE bhv_changes LOGIN PASSWORD 'old'";
    let site = Site::prepared("bhv_query", LISTENER, role);
    let psql = |password: &str| {
        let mut psql = pg("psql", site.proxy.port, "bhv_changes", &site.database);
        let out = psql.env("PGPASSWORD", password).args(["-XAtqc", "SELECT current_user"]).output().unwrap();
        if out.status.success() { Ok(stdout(&out)) } else { Err(stderr(&out)) }
    };
    let refused = |password: &str| psql(password).is_err_and(|told| told.contains("password authentication failed"));
    assert!(refused("new"));
    assert_eq!(psql("old").as_deref(), Ok("bhv_changes"));
    let database = &site.database;
    let target = format!("host=127.0.0.1 port={} user=bhv_changes password=old dbname={database}", site.proxy.port);
    let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let pid = one(&client, "SELECT pg_backend_pid()").await.unwrap();
    site.direct_sql("ALTER ROLE bhv_changes PASSWORD 'new'");
    // What was kept of the old one is found out by the first failure.
    assert!(wait_until(SOON, || psql("new").as_deref() == Ok("bhv_changes")));
    assert!(refused("old"));
    site.direct_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bhv_changes'");
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    assert!(wait_until(SOON, || site.direct_sql(&gone) == "0"));
    // Who logged in with the old one goes on, with servers that were made with the new one.
    assert_ne!(one(&client, "SELECT pg_backend_pid()").await.unwrap(), pid);
    drop(client);
    let held = site.proxy.still_held(SOON);
    assert!(held.is_empty(), "{held:?}\n{}", site.proxy.log());
}
