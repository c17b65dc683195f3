//! `[[database]]`: databases that clients ask for by another name than the server's, and databases whose clients are one role there.

use tokio_postgres::{Client, NoTls};

use crate::pooling::{Pooled, one};
use crate::rules::{assert_refusal, site};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::{Proxy, Row, direct};
use crate::support::raw::Raw;
use crate::support::site::Site;

const WHERE: &str = "SELECT current_database() || ' ' || current_user";

/// An entry by which clients ask for `name`, with these further keys.
fn entry(name: &str, keys: &str) -> String {
    format!("\n[[database]]\nname = '{name}'\n{keys}\n")
}

/// Puts these entries in the place of those at hand.
fn reload(proxy: &Proxy, entries: &str) {
    let mut config: toml::Table = proxy.config_text().parse().unwrap();
    config.remove("database");
    proxy.write_config(&format!("{config}{entries}"));
    proxy.console("RELOAD").unwrap();
}

async fn session(proxy: &Proxy, user: &str, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&proxy.conn_str(user, database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn rows(proxy: &Proxy, table: &str, name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let key = if table == "SHOW DATABASES" { "name" } else { "database" };
    let of = |row: Row| columns.iter().map(|column| row[*column].clone()).collect();
    proxy.console(table).unwrap().into_iter().filter(|row| row[key] == name).map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_database_have_a_pool_each() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("named", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    reload(proxy, &entry("shop", &format!("database = '{own}'")));
    let (named, plain) = (session(proxy, "app", "shop").await, session(proxy, "app", own).await);
    let expected = format!("{own} app");
    assert_eq!((one(&named, WHERE).await.unwrap(), one(&plain, WHERE).await.unwrap()), (expected.clone(), expected));
    for name in ["shop", own] {
        assert_eq!(rows(proxy, "SHOW POOLS", name, &["user", "cl_active", "sv_idle"]), [["app", "1", "1"]]);
        assert_eq!(rows(proxy, "SHOW DATABASES", name, &["database", "force_user"]), [[own, ""]]);
        assert_eq!(rows(proxy, "SHOW CLIENTS", name, &["user"]), [["app"]]);
    }
    // Prepared statements and what is replayed work as ever.
    named.batch_execute("SET work_mem = '77MB'").await.unwrap();
    let prepared = named.prepare("SELECT current_database()::text, current_setting('work_mem')").await.unwrap();
    let row = named.query_one(&prepared, &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), (own, "77MB"));
    // An operator names it as clients do.
    proxy.console("PAUSE shop").unwrap();
    assert_eq!(one(&plain, "SELECT 1").await.unwrap(), "1");
    assert_eq!(rows(proxy, "SHOW DATABASES", "shop", &["paused"]), [["1"]]);
    proxy.console("RESUME shop").unwrap();
    assert_eq!(one(&named, "SELECT 1").await.unwrap(), "1");
    drop((named, plain));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_a_name_leads_to_another_database_with_the_next_transaction() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("moved", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    reload(proxy, &entry("shop", &format!("database = '{own}'")));
    let client = session(proxy, "app", "shop").await;
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} app"));
    reload(proxy, &entry("shop", "database = 'app'"));
    assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} app"), "its transaction goes on");
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(one(&client, WHERE).await.unwrap(), "app app");
    // Without the entry there is no such database.
    reload(proxy, "");
    let refused = one(&client, WHERE).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "3D000", "{refused:?}");
    drop(client);
    pooled.finish();
}

#[test]
fn a_name_leads_to_its_database_where_each_session_has_a_server_of_its_own() {
    if direct() {
        return;
    }
    let site = Site::new("relayed", "");
    let own = &site.database;
    // Whoever names no database asks for one that is called like the user.
    reload(
        &site.proxy,
        &(entry("shop", &format!("database = '{own}'")) + &entry("app", &format!("database = '{own}'"))),
    );
    for target in ["dbname=shop", "user=app"] {
        let mut psql = pg("psql", site.proxy.port, "app", "app");
        psql.env_remove("PGDATABASE").args(["-XAtq", "-c", WHERE, target]);
        let output = psql.output().unwrap();
        assert_eq!(stdout(&output).trim(), format!("{own} app"), "{target}: {}", stderr(&output));
    }
    let mut client = Raw::login(site.proxy.port, "postgres", "shop").unwrap();
    assert_eq!(client.rows("SELECT current_database()::text"), [[own.as_str()]]);
    assert_eq!(rows(&site.proxy, "SHOW POOLS", "shop", &["user", "sv_active"]), [["postgres", "1"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_rule_knows_the_tables_behind_a_name() {
    let Some(site) = site("behind", "") else { return };
    let keys = format!("database = '{}'", site.database);
    reload(&site.proxy, &entry("shop", &keys));
    let mut client = Raw::login(site.proxy.port, "postgres", "shop").unwrap();
    assert_refusal(&client.query("SELECT * FROM big")[0], "unbounded_select");
    // What is made anew there is in doubt until it has been read again.
    client.query("BEGIN; DROP TABLE big; CREATE TABLE big (n int)");
    assert_eq!(client.rows("SELECT count(*)::text FROM (SELECT * FROM big) b"), [["0"]]);
    client.query("ROLLBACK");
    drop(client);
    site.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_dropped_although_a_pool_of_another_name_has_servers_there() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("gone", 2, "");
    let proxy = &pooled.site.proxy;
    let side = format!("{}_side", pooled.site.database);
    pooled.site.direct_sql(&format!("CREATE DATABASE {side} OWNER app"));
    reload(proxy, &entry("shop", &format!("database = '{side}'")));
    let (client, visitor) = (session(proxy, "app", &pooled.site.database).await, session(proxy, "app", "shop").await);
    assert_eq!(one(&visitor, WHERE).await.unwrap(), format!("{side} app"));
    client.batch_execute(&format!("DROP DATABASE {side}")).await.unwrap();
    drop((client, visitor));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_clients_of_a_database_are_one_role_there_and_share_a_pool() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("one_role", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    let secret = pooled.secret("app-secret");
    reload(proxy, &entry("shop", &format!("database = '{own}'\nuser = 'app'\npassword_file = '{}'", secret.display())));
    let clients = [session(proxy, "md5_user", "shop").await, session(proxy, "replicator", "shop").await];
    for client in &clients {
        assert_eq!(one(client, WHERE).await.unwrap(), format!("{own} app"));
        assert_eq!(one(client, "SELECT session_user::text").await.unwrap(), "app");
    }
    assert_eq!(rows(proxy, "SHOW POOLS", "shop", &["user", "cl_active", "sv_idle"]), [["app", "2", "1"]]);
    assert_eq!(rows(proxy, "SHOW SERVERS", "shop", &["user"]), [["app"]]);
    assert_eq!(rows(proxy, "SHOW DATABASES", "shop", &["database", "force_user"]), [[own, "app"]]);
    let mut users = rows(proxy, "SHOW CLIENTS", "shop", &["user"]);
    users.sort();
    assert_eq!(users, [["md5_user"], ["replicator"]]);
    // Each proves who it is by its own name.
    let wrong = proxy.conn_str("md5_user", "shop").replace("md5-secret", "app-secret");
    let refused = tokio_postgres::connect(&wrong, NoTls).await.map(drop).unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "28P01", "{refused:?}");
    assert!(!proxy.log().contains("app-secret") && !proxy.log().contains("md5-secret"));
    drop(clients);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_whose_password_is_wrong_is_told_and_a_reload_mends_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("wrong_role", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    let secret = pooled.secret("not it");
    let entries = entry("shop", &format!("database = '{own}'\nuser = 'app'\npassword_file = '{}'", secret.display()));
    reload(proxy, &entries);
    let target = proxy.conn_str("replicator", "shop");
    let refused = tokio_postgres::connect(&target, NoTls).await.map(drop).unwrap_err();
    let told = refused.as_db_error().unwrap();
    assert!(told.code().code() == "28000" && told.message().contains("\"app\""), "{told:?}");
    pooled.secret("app-secret");
    reload(proxy, &entries);
    let client = session(proxy, "replicator", "shop").await;
    assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} app"));
    drop(client);
    pooled.finish();
}

/// As PgBouncer's `auth_file` has it for such a role.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_logs_in_with_its_md5_hash_where_the_server_asks_for_that() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("hashed_role", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    for (role, password, gets_in) in [("md5_user", "md5-secret", true), ("app", "app-secret", false)] {
        let hash = pooled.site.direct_sql(&format!("SELECT 'md5' || md5('{password}{role}')"));
        let secret = pooled.secret(&hash);
        let keys = format!("database = '{own}'\nuser = '{role}'\npassword_file = '{}'", secret.display());
        reload(proxy, &entry("shop", &keys));
        match tokio_postgres::connect(&proxy.conn_str("replicator", "shop"), NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                assert!(gets_in);
                assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} {role}"));
            }
            // It asks for SCRAM.
            Err(refused) => assert!(!gets_in && refused.as_db_error().unwrap().code().code() == "28000", "{refused:?}"),
        }
        assert!(!proxy.log().contains(&hash));
    }
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_goes_on_when_the_password_of_the_role_changes() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("new_secret", 2, "");
    let (proxy, own) = (&pooled.site.proxy, pooled.site.database.as_str());
    let password = |text: &str| pooled.site.direct_sql(&format!("ALTER ROLE \"{own}\" PASSWORD '{text}'"));
    pooled.site.direct_sql(&format!("CREATE ROLE \"{own}\" LOGIN"));
    password("old secret");
    let secret = pooled.secret("old secret");
    let keys = format!("database = '{own}'\nuser = '{own}'\npassword_file = '{}'", secret.display());
    reload(proxy, &entry("shop", &keys));
    let client = session(proxy, "app", "shop").await;
    assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} {own}"));
    password("new secret");
    pooled.secret("new secret");
    reload(proxy, &entry("shop", &keys));
    proxy.console("RECONNECT").unwrap();
    assert_eq!(one(&client, WHERE).await.unwrap(), format!("{own} {own}"));
    drop(client);
    pooled.finish();
}

#[test]
fn a_role_is_the_sessions_own_where_each_has_a_server_of_its_own() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("own_role", 2, "");
    let site = &pooled.site;
    let secret = pooled.secret("app-secret");
    let config: toml::Table = site.proxy.config_text().parse().unwrap();
    let users = &config["listener"][0]["users_file"];
    let keys = format!("database = '{}'\nuser = 'app'\npassword_file = '{}'", site.database, secret.display());
    let listener = format!("[[listener]]\nlogin = 'users'\nusers_file = {users}\n");
    let proxy = Proxy::start(site.cluster, &(listener + &entry("shop", &keys)));
    let output = pg("psql", proxy.port, "replicator", "shop").args(["-XAtq", "-c", WHERE]).output().unwrap();
    assert_eq!(stdout(&output).trim(), format!("{} app", site.database), "{}", stderr(&output));
    proxy.assert_all_zero();
    drop(proxy);
    pooled.finish();
}
