//! What a session leaves in its server where servers are shared: found, kept from others, and given to its client again.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::AsyncMessage;

use crate::pooling::{Pooled, one, waits};
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{Raw, VERSION_3_0, bind, codes, execute, parse, query, startup, sync};

async fn shared(pooled: &Pooled) -> (tokio_postgres::Client, tokio_postgres::Client) {
    (pooled.site.session("app").await, pooled.site.session("app").await)
}

fn pins(pooled: &Pooled) -> Vec<String> {
    let rows = pooled.site.proxy.console("SHOW PINS").unwrap();
    rows.iter().map(|row| row["why"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_follow_their_client_and_reach_nobody_else() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_settings", 1, "");
    let (setter, other) = shared(&pooled).await;
    let default = one(&other, "SHOW work_mem").await.unwrap();
    setter
        .batch_execute("SET work_mem = '5MB'; SET app.tenant = 'it''s me'; SET search_path = one, two")
        .await
        .unwrap();
    for _ in 0..3 {
        assert_eq!(one(&other, "SHOW work_mem").await.unwrap(), default);
        assert_eq!(one(&other, "SELECT coalesce(current_setting('app.tenant', true), '')").await.unwrap(), "");
        assert_eq!(one(&other, "SHOW search_path").await.unwrap(), "\"$user\", public");
        assert_eq!(one(&setter, "SHOW work_mem").await.unwrap(), "5MB");
        assert_eq!(one(&setter, "SELECT current_setting('app.tenant')").await.unwrap(), "it's me");
        assert_eq!(one(&setter, "SHOW search_path").await.unwrap(), "one, two");
    }
    // A transaction that is rolled back sets nothing.
    setter.batch_execute("BEGIN; SET work_mem = '9MB'; ROLLBACK").await.unwrap();
    assert_eq!(one(&setter, "SHOW work_mem").await.unwrap(), "5MB");
    setter.batch_execute("RESET ALL").await.unwrap();
    assert_eq!(one(&setter, "SHOW work_mem").await.unwrap(), default);
    // By a function call with values, as frameworks do it.
    setter.query("SELECT set_config('app.tenant', $1, false)", &[&"by value"]).await.unwrap();
    assert_eq!(one(&other, "SELECT coalesce(current_setting('app.tenant', true), '')").await.unwrap(), "");
    assert_eq!(one(&setter, "SELECT current_setting('app.tenant', true)").await.unwrap(), "by value");
    assert!(pins(&pooled).is_empty());
    drop((setter, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_again_finds_a_server_that_has_its_settings() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_suits", 5, "");
    let target = pooled.site.proxy.conn_str("app", &pooled.site.database);
    let mut clients = Vec::new();
    for name in ["web", "worker", "cron"] {
        let target = format!("{target} application_name={name}");
        let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        clients.push(client);
    }
    // A server for each, since all of them work at once.
    for client in &clients {
        client.batch_execute("BEGIN").await.unwrap();
    }
    let mut homes = Vec::new();
    for client in &clients {
        homes.push(one(client, "SELECT pg_backend_pid()::text").await.unwrap());
    }
    for client in &clients {
        client.batch_execute("COMMIT").await.unwrap();
    }
    // The one used last is another one's each time.
    for round in 0..5 {
        for (client, home) in clients.iter().zip(&homes) {
            assert_eq!(&one(client, "SELECT pg_backend_pid()::text").await.unwrap(), home, "round {round}");
        }
    }
    // Whoever changes a setting takes it along, and is found there from then on.
    let [web, worker, cron] = &clients[..] else { unreachable!() };
    web.batch_execute("SET work_mem = '5MB'").await.unwrap();
    for _ in 0..3 {
        assert_eq!(&one(worker, "SELECT pg_backend_pid()::text").await.unwrap(), &homes[1]);
        assert_eq!(one(web, "SHOW work_mem").await.unwrap(), "5MB");
        assert_eq!(&one(web, "SELECT pg_backend_pid()::text").await.unwrap(), &homes[0]);
        assert_ne!(one(cron, "SHOW work_mem").await.unwrap(), "5MB");
    }
    assert_eq!(pooled.servers(), 3);
    drop(clients);
    pooled.finish();
}

/// Where clients differ in nothing else, nobody waits for the name of an application, and nobody sees the answer.
#[test]
fn a_name_alone_goes_ahead_of_its_clients_statement_and_nobody_sees_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_name", 1, "[[access]]\nmethod = 'trust'\n");
    let login = |name: &str| {
        let mut client = Raw::open(pooled.site.proxy.port);
        let parameters = [("user", "app"), ("database", pooled.site.database.as_str()), ("application_name", name)];
        client.send(&startup(VERSION_3_0, &parameters));
        client.finish_login().unwrap_or_else(|error| panic!("{}", error.summary()));
        client
    };
    const OWN: &str = "SELECT current_setting('application_name')";
    // The last one is nothing that stands in a text as it is: it waits, like other settings.
    let names = ["web", "-c \"x\"; $1 /* */", "it's"];
    let mut clients = names.map(|name| (login(name), name));
    for round in 0..3 {
        for (client, name) in &mut clients {
            let reply = client.query(OWN);
            assert_eq!((codes(&reply).as_str(), reply[1].columns()), ("T D C Z", vec![(*name).to_owned()]), "{round}");
        }
        for (client, name) in &mut clients {
            client.send_all(&[parse("", OWN), bind("", &[]), execute(), sync(), query("SELECT 1")]);
            let reply = client.until(b"Z");
            assert_eq!((codes(&reply).as_str(), reply[2].columns()), ("1 2 D C Z", vec![(*name).to_owned()]));
            assert_eq!(codes(&client.until(b"Z")), "T D C Z");
        }
        for (client, _) in &mut clients {
            // Refused by the server, by the lexer of the server, and by nobody.
            assert_eq!(codes(&client.query("SELECT 1/0")), "E Z");
            assert_eq!(codes(&client.query("SELECT '")), "E Z");
            assert_eq!(codes(&client.query("")), "I Z");
        }
        for (client, name) in &mut clients {
            assert_eq!(codes(&client.query("BEGIN")), "C Z");
            assert_eq!(client.rows(OWN), [[*name]]);
            assert_eq!(codes(&client.query("ROLLBACK")), "C Z", "what is rolled back is the client's own");
            assert_eq!(client.rows("SELECT 1"), [["1"]]);
        }
    }
    // Whoever sets it is told, once, and has it from then on.
    let (web, _) = &mut clients[0];
    assert_eq!(codes(&web.query("SET application_name TO other")), "C S Z");
    for _ in 0..2 {
        assert_eq!(clients[1].0.rows(OWN), [[names[1]]]);
        let reply = clients[0].0.query(OWN);
        assert_eq!((codes(&reply).as_str(), reply[1].columns()), ("T D C Z", vec!["other".to_owned()]));
    }
    assert_eq!(pooled.servers(), 1);
    // Clients that are gone before they have read anything.
    for _ in 0..20 {
        for name in ["one", "two"] {
            login(name).send(&query("SELECT 1"));
        }
    }
    assert_eq!(clients[1].0.rows(OWN), [[names[1]]]);
    drop(clients);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_settings_share_one_pool() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_startup", 1, "");
    let target = pooled.site.proxy.conn_str("app", &pooled.site.database);
    let mut clients = Vec::new();
    for (name, zone) in [("web", "Asia/Tokyo"), ("worker", "UTC"), ("web2", "UTC")] {
        let target = format!("{target} application_name={name} options='-c TimeZone={zone} -c app.who={name}'");
        let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        clients.push((client, name, zone));
    }
    for _ in 0..3 {
        for (client, name, zone) in &clients {
            assert_eq!(&one(client, "SHOW timezone").await.unwrap(), zone);
            assert_eq!(&one(client, "SHOW application_name").await.unwrap(), name);
            assert_eq!(&one(client, "SELECT current_setting('app.who')").await.unwrap(), name);
        }
    }
    assert_eq!(pooled.servers(), 1);
    let wrong = format!("{target} options='-c no_such_setting=1'");
    let refused = tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await.err().unwrap();
    let refused = refused.as_db_error().unwrap();
    assert!(refused.message().starts_with("FLOODWALL[rule=settings]"), "{refused:?}");
    assert!(refused.message().contains("unrecognized configuration parameter \"no_such_setting\""), "{refused:?}");
    // What may hold a value is for the client alone, and in no log.
    let wrong = format!("{target} options='-c work_mem=secretly'");
    let refused = tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await.err().unwrap();
    let refused = refused.as_db_error().unwrap();
    assert!(!refused.message().contains("secretly") && refused.detail().unwrap().contains("secretly"), "{refused:?}");
    assert!(!pooled.site.proxy.log().contains("secretly"));
    drop(clients);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_move_pins_its_server_until_it_is_gone() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_pins", 1, "query_wait_timeout = '5m'");
    let (pinner, other) = shared(&pooled).await;
    let other = Arc::new(other);
    let table = [
        ("CREATE TEMP TABLE t (id int)", "DROP TABLE t", "temp"),
        ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)", "advisory_lock"),
        ("LISTEN news", "UNLISTEN news", "listen"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", "CLOSE c", "cursor"),
        ("PREPARE p AS SELECT 1", "DEALLOCATE p", "prepare"),
        ("CREATE TEMP TABLE t (id int); LISTEN x", "DISCARD ALL", "temp, listen"),
    ];
    for (leave, remove, why) in table {
        pinner.batch_execute(leave).await.unwrap();
        assert!(wait_until(SOON, || pins(&pooled) == [why]), "{why}: {:?}", pins(&pooled));
        let client = Arc::clone(&other);
        let waiting = tokio::spawn(async move { one(&client, "SELECT 2").await });
        assert!(wait_until(SOON, || waits(&pooled) == 1), "{why}");
        assert_eq!(one(&pinner, "SELECT 1").await.unwrap(), "1", "{why}");
        assert!(!waiting.is_finished(), "{why}: it is lent to somebody else");
        pinner.batch_execute(remove).await.unwrap();
        assert!(wait_until(SOON, || pins(&pooled).is_empty()), "{why}");
        assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap(), "2", "{why}");
    }
    drop((pinner, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pinned_client_resets_has_the_default_of_its_start_up() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_reset", 1, "");
    let mut config: tokio_postgres::Config = pooled.site.proxy.conn_str("app", &pooled.site.database).parse().unwrap();
    config.application_name("web").options("-c work_mem=6MB -c app.tenant=mine");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let other = pooled.site.session("app").await;
    let shows = async |name: &str| one(&client, &format!("SELECT current_setting('{name}')")).await.unwrap();
    client.batch_execute("CREATE TEMP TABLE pin ()").await.unwrap();
    let pid = one(&client, "SELECT pg_backend_pid()").await.unwrap();
    let names = ["work_mem", "app.tenant", "application_name"];
    for reset in ["RESET work_mem; RESET app.tenant; RESET application_name", "RESET ALL", "SET work_mem TO DEFAULT"] {
        client.batch_execute("SET work_mem = '9MB'; SET app.tenant = 'x'; SET application_name = 'y'").await.unwrap();
        assert_eq!(shows("work_mem").await, "9MB");
        client.batch_execute(reset).await.unwrap();
        let set_back = if reset.starts_with("SET") { ["6MB", "x", "y"] } else { ["6MB", "mine", "web"] };
        for (name, value) in names.into_iter().zip(set_back) {
            assert_eq!(shows(name).await, value, "{name} after {reset}");
        }
    }
    assert_eq!(pins(&pooled), ["temp"]);
    assert_eq!(one(&client, "SELECT pg_backend_pid()").await.unwrap(), pid);
    client.batch_execute("DROP TABLE pin; RESET ALL").await.unwrap();
    assert_eq!(one(&other, "SELECT coalesce(current_setting('app.tenant', true), '')").await.unwrap(), "");
    assert_eq!(shows("work_mem").await, "6MB");
    drop((client, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_set_what_the_login_did_keeps_its_session() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_reset_role", 1, "");
    pooled.site.direct_sql(
        "CREATE ROLE leak_lowly; GRANT leak_lowly TO app; GRANT SET ON PARAMETER log_min_duration_statement TO app",
    );
    let mut config: tokio_postgres::Config = pooled.site.proxy.conn_str("app", &pooled.site.database).parse().unwrap();
    let (client, connection) =
        config.options("-c log_min_duration_statement=50s").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET ROLE leak_lowly").await.unwrap();
    let pid = one(&client, "SELECT pg_backend_pid()").await.unwrap();
    client.batch_execute("RESET ALL").await.unwrap();
    for _ in 0..2 {
        assert_eq!(one(&client, "SELECT current_user").await.unwrap(), "leak_lowly");
        assert_eq!(one(&client, "SELECT pg_backend_pid()").await.unwrap(), pid);
    }
    client.batch_execute("RESET ROLE").await.unwrap();
    assert_eq!(one(&client, "SHOW log_min_duration_statement").await.unwrap(), "50s");
    assert!(pins(&pooled).is_empty());
    drop(client);
    pooled.finish();
    Cluster::shared()
        .sql("postgres", "REVOKE SET ON PARAMETER log_min_duration_statement FROM app; DROP ROLE leak_lowly");
}

/// `pg_settings` lists no role, so nobody had asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_set_config_takes_on_stays_with_its_client() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_set_config_role", 1, "");
    pooled.site.direct_sql("CREATE ROLE leak_other; GRANT leak_other TO app");
    let (client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    for call in ["set_config('role', 'leak_other', false)", "set_config('ro' || 'le', 'leak_other', false)"] {
        assert_eq!(one(&client, &format!("SELECT {call}")).await.unwrap(), "leak_other");
        assert!(wait_until(SOON, || pins(&pooled) == ["role"]), "{call}: {:?}", pins(&pooled));
        assert_eq!(one(&client, "SELECT current_user").await.unwrap(), "leak_other");
        client.batch_execute("RESET ROLE").await.unwrap();
        assert_eq!(one(&other, "SELECT current_user").await.unwrap(), "app");
    }
    assert_eq!(one(&client, "SELECT set_config('role', 'leak_other', true)").await.unwrap(), "leak_other");
    assert_eq!(one(&other, "SELECT current_user").await.unwrap(), "app");
    assert!(pins(&pooled).is_empty());
    drop((client, other));
    pooled.finish();
    Cluster::shared().sql("postgres", "DROP ROLE leak_other");
}

/// What its server says while it takes the settings of its client is the client's as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_comes_while_a_server_is_dressed_is_heard() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_notified", 1, "");
    pooled.site.direct_sql("CREATE TEXT SEARCH CONFIGURATION mine (COPY = simple)");
    let mut config: tokio_postgres::Config = pooled.site.proxy.conn_str("app", &pooled.site.database).parse().unwrap();
    let (client, mut connection) =
        config.options("-c default_text_search_config=mine").connect(tokio_postgres::NoTls).await.unwrap();
    let (tell, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(news) = message {
                tell.send(news.payload().to_owned()).unwrap();
            }
        }
    });
    client.batch_execute("LISTEN news").await.unwrap();
    assert!(wait_until(SOON, || pins(&pooled) == ["listen"]));
    // Whoever sets a configuration that has changed looks for it, and waits for whoever has locked them.
    pooled.site.direct_sql("ALTER TEXT SEARCH CONFIGURATION mine OWNER TO app");
    let locker = Cluster::shared().conn_str("postgres", &pooled.site.database);
    let (locker, locking) = tokio_postgres::connect(&locker, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(locking);
    locker.batch_execute("BEGIN; LOCK TABLE pg_ts_config IN ACCESS EXCLUSIVE MODE").await.unwrap();
    client.batch_execute("RESET default_text_search_config").await.unwrap();
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE l.relation = 'pg_ts_config'::regclass AND NOT granted AND datname = current_database()";
    let dressed = wait_until(SOON, || pooled.site.direct_sql(waits) == "1");
    pooled.site.direct_sql("NOTIFY news, 'hello'");
    locker.batch_execute("ROLLBACK").await.unwrap();
    assert!(dressed, "no server took the settings of its client");
    let news = timeout(SOON, heard.recv()).await;
    assert_eq!(news.unwrap().as_deref(), Some("hello"));
    assert_eq!(one(&client, "SHOW default_text_search_config").await.unwrap(), "public.mine");
    drop(client);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_client_that_dies_leaves_nothing_and_costs_no_connection() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_death", 1, "");
    let other = pooled.site.session("app").await;
    let pid = one(&other, "SELECT pg_backend_pid()").await.unwrap();
    let pinner = pooled.site.session("app").await;
    pinner
        .batch_execute("CREATE TEMP TABLE t (id int); SELECT pg_advisory_lock(8); SET work_mem = '3MB'")
        .await
        .unwrap();
    assert!(wait_until(SOON, || pins(&pooled).len() == 1));
    drop(pinner);
    assert_eq!(
        one(&other, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            .await
            .unwrap(),
        "0"
    );
    assert_eq!(one(&other, "SELECT to_regclass('pg_temp.t') IS NULL").await.unwrap(), "t");
    assert_ne!(one(&other, "SHOW work_mem").await.unwrap(), "3MB");
    assert_eq!(one(&other, "SELECT pg_backend_pid()").await.unwrap(), pid);
    assert!(pins(&pooled).is_empty());
    drop(other);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_set_what_nobody_told_are_found() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_functions", 1, "");
    pooled.site.direct_sql(
        "CREATE FUNCTION sneak() RETURNS text LANGUAGE sql AS $$ SELECT set_config('work_mem', '7MB', false) || set_config('app.hidden', 'x', false) $$",
    );
    let (caller, other) = shared(&pooled).await;
    caller.batch_execute("SELECT sneak()").await.unwrap();
    assert_ne!(one(&other, "SHOW work_mem").await.unwrap(), "7MB");
    assert_eq!(one(&other, "SELECT coalesce(current_setting('app.hidden', true), '')").await.unwrap(), "");
    assert_eq!(one(&caller, "SHOW work_mem").await.unwrap(), "7MB");
    drop((caller, other));
    pooled.finish();
}

/// A text that is prepared behind a function which sets something, before the server tells of it, is for its client alone; and so is one
/// behind a setting that no server tells of, until the transaction ends.
#[test]
fn what_is_prepared_under_a_setting_that_nobody_knows_of_reaches_nobody_else() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("leak_prepared", 1, "[[access]]\nmethod = 'trust'\n");
    pooled.site.direct_sql(
        "CREATE FUNCTION zone(z text) RETURNS text LANGUAGE sql AS 'SELECT set_config(''TimeZone'', z, true)'",
    );
    let login = || Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    let (mut setter, mut other) = (login(), login());
    let noon = "SELECT extract(hour FROM '2026-01-01 12:00'::timestamptz AT TIME ZONE 'UTC')::int";
    let nothing = "SELECT count(*) FROM (VALUES (1)) v (a) WHERE (NULL::int = NULL)";
    let run = [bind("s", &[]), execute(), sync()].concat();
    let rows = |client: &mut Raw, sent: &[Vec<u8>]| -> Vec<String> {
        client.send_all(sent);
        let reply = client.until(b"ZE");
        reply.iter().filter(|message| message.code == b'D').flat_map(|row| row.columns()).collect()
    };
    let function = [parse("", "SELECT zone('Asia/Tokyo')"), bind("", &[]), execute(), parse("s", noon), run.clone()];
    assert_eq!(rows(&mut setter, &function), ["Asia/Tokyo", "3"]);
    assert_eq!(rows(&mut other, &[parse("s", noon), run.clone()]), ["12"]);
    for client in [&mut setter, &mut other] {
        client.query("DEALLOCATE ALL");
    }
    setter.query("BEGIN; SET LOCAL transform_null_equals TO on");
    assert_eq!(rows(&mut setter, &[parse("s", nothing), run.clone()]), ["1"]);
    setter.query("COMMIT");
    assert_eq!(rows(&mut other, &[parse("s", nothing), run]), ["0"]);
    drop((setter, other));
    pooled.finish();
}
