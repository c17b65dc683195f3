//! Logins to a pool by what the server knows of its roles.

use super::{SOON, join, join_as, leave, one as value, pool};
use crate::pooling::one;
use crate::support::cluster::Cluster;
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{Raw, sqlstates};
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

#[test]
fn what_the_server_has_against_a_login_is_told_in_its_own_words() {
    if direct() {
        return;
    }
    let pool = pool("bhv_denied", 2, "server_idle_timeout = '1m'\n");
    let (port, database) = (pool.site.proxy.port, pool.site.database.clone());
    let mut client = join(&pool);
    let told = |user: &str, database: &str| {
        let told = Raw::login(port, user, database).expect_err("nobody is let in");
        (told.sqlstate(), told.field(b'S').unwrap(), told.field(b'M').unwrap())
    };
    let fatal = |sqlstate: &str, words: &str| (sqlstate.to_owned(), "FATAL".to_owned(), words.to_owned());
    for _ in 0..2 {
        let words = "database \"bhv_no_such\" does not exist";
        assert_eq!(told("app", "bhv_no_such"), fatal("3D000", words));
    }
    pool.site.direct_sql(&format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"));
    let words = format!("permission denied for database \"{database}\"");
    assert_eq!(told("md5_user", &database), fatal("42501", &words));
    let mut somebody = join_as(&pool, "md5_user", "postgres");
    assert_eq!((value(&mut client, "SELECT 1"), value(&mut somebody, "SELECT 2")), ("1".to_owned(), "2".to_owned()));
    pool.site.direct_sql(&format!("GRANT CONNECT ON DATABASE {database} TO PUBLIC"));
    assert!(wait_until(SOON, || Raw::login(port, "md5_user", &database).is_ok()), "nothing is held against it");
    // A session of before, whose servers are gone and which nobody may enter any more, hears it and lives.
    let elsewhere = |sql: &str| Cluster::shared().sql("postgres", sql);
    elsewhere(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"));
    pool.site.proxy.console("RECONNECT").unwrap();
    let servers = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND datname = '{database}'");
    assert!(wait_until(SOON, || elsewhere(&servers) == "0"));
    assert!(wait_until(SOON, || sqlstates(&client.query("SELECT 1")) == ["55000"]));
    elsewhere(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"));
    assert!(wait_until(SOON, || sqlstates(&client.query("SELECT 1")).is_empty()));
    drop((client, somebody));
    leave(&pool);
}
