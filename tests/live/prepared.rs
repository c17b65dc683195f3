//! Prepared statements of the protocol where many clients share few servers.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::drivers;
use crate::pooling::{Pooled, one};
use crate::support::cluster::run;
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, reply_codes, sqlstates};

/// For clients that write their messages themselves.
const NO_PASSWORD: &str = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";

fn raw_client(pooled: &Pooled) -> Raw {
    Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_has_its_own_names_on_one_server() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_names", 1, "");
    let (one_client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    // Both drivers call their first statement s0.
    let mine = one_client.prepare("SELECT $1::int + 1").await.unwrap();
    let theirs = other.prepare("SELECT $1::text || '!'").await.unwrap();
    for n in 0..20 {
        assert_eq!(one_client.query_one(&mine, &[&n]).await.unwrap().get::<_, i32>(0), n + 1);
        let text = format!("n{n}");
        assert_eq!(other.query_one(&theirs, &[&text]).await.unwrap().get::<_, String>(0), format!("n{n}!"));
    }
    // The same text for both: prepared once for each worker at the most, and again as another one for other types.
    let same = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark one%' AND $1::int = 1";
    let (first, second) = (one_client.prepare(same).await.unwrap(), other.prepare(same).await.unwrap());
    for (client, statement) in [(&one_client, &first), (&other, &second)] {
        let prepared: i64 = client.query_one(statement, &[&1]).await.unwrap().get(0);
        assert!((1..=2).contains(&prepared), "{prepared}");
    }
    let short = other.prepare_typed("SELECT $1", &[Type::INT4]).await.unwrap();
    let long = one_client.prepare_typed("SELECT $1", &[Type::INT8]).await.unwrap();
    assert_eq!(one_client.query_one(&long, &[&(1_i64 << 40)]).await.unwrap().get::<_, i64>(0), 1 << 40);
    assert_eq!(other.query_one(&short, &[&7_i32]).await.unwrap().get::<_, i32>(0), 7);
    drop((mine, theirs, first, second, short, long, one_client, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_discards_all_takes_nothing_from_others() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_discard", 1, "");
    let (keeper, discarder) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let kept = keeper.prepare("SELECT $1::int * 2").await.unwrap();
    assert_eq!(keeper.query_one(&kept, &[&4]).await.unwrap().get::<_, i32>(0), 8);
    for all in ["DEALLOCATE ALL", "DISCARD ALL"] {
        let lost = discarder.prepare("SELECT $1::int * 3").await.unwrap();
        discarder.batch_execute(all).await.unwrap();
        let error = discarder.query_one(&lost, &[&1]).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INVALID_SQL_STATEMENT_NAME), "{all}: {error}");
        assert_eq!(keeper.query_one(&kept, &[&4]).await.unwrap().get::<_, i32>(0), 8, "{all}");
    }
    drop((kept, keeper, discarder));
    pooled.finish();
}

#[test]
fn sql_deallocates_what_the_protocol_prepared_and_nothing_of_others() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_deallocate", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let run = |name: &str| [raw::bind(name, &["2"]), raw::execute(), raw::sync()].concat();
    for raw in [&mut client, &mut other] {
        for name in ["s0", "_pg3_1"] {
            raw.send(&[raw::parse(name, "SELECT $1::int + 40"), run(name)].concat());
            assert_eq!(reply_codes(&raw.until(b"Z")), "1 2 D C Z");
        }
    }
    // Denied as the server denies it, without a trace.
    client.query("BEGIN");
    client.query("SELECT 1/0");
    assert_eq!(sqlstates(&client.query("DEALLOCATE s0")), ["25P02"]);
    client.query("ROLLBACK");
    client.send(&run("s0"));
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    let gone = client.query("DEALLOCATE s0");
    assert_eq!((reply_codes(&gone).as_str(), &gone[0].body[..]), ("C Z", &b"DEALLOCATE\0"[..]));
    client.query("BEGIN");
    client.send(&[raw::run("DEALLOCATE PREPARE \"_pg3_1\""), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    client.query("COMMIT");
    for name in ["s0", "_pg3_1"] {
        client.send(&run(name));
        assert_eq!(sqlstates(&client.until(b"Z")), ["26000"], "{name}");
        assert_eq!(sqlstates(&client.query(&format!("DEALLOCATE {name}"))), ["26000"], "{name}");
        other.send(&run(name));
        assert_eq!(reply_codes(&other.until(b"Z")), "2 D C Z", "{name}");
    }
    // The names are free again, and what SQL has prepared is ended by SQL as ever.
    client.send(&[raw::parse("s0", "SELECT $1::int + 1"), run("s0")].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    client.query("PREPARE by_sql AS SELECT 1");
    assert_eq!(reply_codes(&client.query("DEALLOCATE by_sql")), "C Z");
    assert_eq!(other.rows("SELECT count(*) FROM pg_prepared_statements WHERE from_sql"), [["0"]]);
    drop((client, other));
    pooled.finish();
}

/// A literal becomes a value when its text is prepared, by the settings of who prepares it: who has others must not get that value.
#[test]
fn a_text_is_shared_only_where_its_literals_mean_the_same() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_literals", 1, NO_PASSWORD);
    // More than workers, so that some share one and its statements.
    let mut one = raw_client(&pooled);
    let mut others = [(); 3].map(|()| raw_client(&pooled));
    let first = |raw: &mut Raw, name: &str, text: &str| {
        raw.send(&[raw::parse(name, text), raw::bind(name, &[]), raw::execute(), raw::sync()].concat());
        let replies = raw.until(b"Z");
        replies.iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for (at, (setting, values, text, expected)) in [
        ("TimeZone", ["UTC", "-02"], "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int", ["0", "7200"]),
        ("DateStyle", ["ISO, DMY", "ISO, MDY"], "SELECT extract(day FROM '01/02/2000'::date)::int", ["1", "2"]),
        (
            "IntervalStyle",
            ["sql_standard", "postgres"],
            "SELECT extract(hour FROM '-1 2:00'::interval)::int",
            ["-2", "2"],
        ),
        ("standard_conforming_strings", ["on", "off"], r"SELECT length('\\x')", ["3", "2"]),
        ("client_encoding", ["UTF8", "LATIN1"], "SELECT length('é')", ["1", "2"]),
        ("transform_null_equals", ["off", "on"], "SELECT (length(NULL) = NULL) IS NULL", ["t", "f"]),
        ("array_nulls", ["on", "off"], "SELECT ('{NULL}'::text[])[1] IS NULL", ["t", "f"]),
    ]
    .into_iter()
    .enumerate()
    {
        for (raw, n) in std::iter::once((&mut one, 0)).chain(others.iter_mut().map(|other| (other, 1))) {
            raw.query(&format!("SET {setting} = '{}'", values[n]));
            assert_eq!(first(raw, &format!("n{at}"), text), expected[n], "{setting} = {}", values[n]);
        }
        // The server tells of these while a transaction lasts.
        if at < 5 {
            one.query("BEGIN");
            one.query(&format!("SET LOCAL {setting} = '{}'", values[1]));
            assert_eq!(first(&mut one, &format!("local{at}"), text), expected[1], "{setting} for a transaction");
            one.query("COMMIT");
            assert_eq!(first(&mut one, &format!("again{at}"), text), expected[0], "{setting} behind it");
        }
    }
    drop((one, others));
    pooled.finish();
}

/// A new server learns a text from whoever comes first, who may have other settings than when it was prepared: a literal is what it was then,
/// as at a server of its own.
#[test]
fn who_changed_its_settings_keeps_the_literals_of_what_it_has_prepared() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_relearnt", 1, NO_PASSWORD);
    let mut clients = [(); 4].map(|()| raw_client(&pooled));
    let epoch = "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int";
    let run = [raw::bind("epoch", &[]), raw::execute(), raw::sync()].concat();
    let value = |raw: &mut Raw| {
        raw.send(&run);
        raw.until(b"Z").iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for raw in &mut clients {
        raw.query("SET TimeZone = 'UTC'");
        raw.send(&[raw::parse("epoch", epoch), raw::sync()].concat());
        raw.until(b"Z");
        assert_eq!(value(raw), "0");
    }
    clients[0].query("SET TimeZone = '-02'");
    clients[0].query("SET DateStyle = 'SQL, DMY'");
    let ours = "datname = current_database() AND usename = 'app'";
    pooled.site.direct_sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"));
    assert!(wait_until(SOON, || pooled.servers() == 0));
    let values = [0, 1, 2, 3, 0].map(|at| value(&mut clients[at]));
    assert_eq!(values, ["0"; 5]);
    let mut shown = |at: usize| clients[at].rows("SHOW TimeZone")[0][0].clone();
    assert_eq!([shown(0), shown(1)], ["<-02>+02", "UTC"], "as they were set");
    clients[0].send(&[raw::parse("new", epoch), raw::bind("new", &[]), raw::execute(), raw::sync()].concat());
    let reply = clients[0].until(b"Z");
    assert_eq!(reply_codes(&reply), "1 2 D C Z");
    assert_eq!(reply[2].columns(), ["7200"], "what it prepares now");
    drop(clients);
    pooled.finish();
}

#[test]
fn a_text_that_the_server_knows_is_not_prepared_in_a_transaction_that_has_failed() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_failed", 1, NO_PASSWORD);
    let mut client = raw_client(&pooled);
    for (name, sql) in [("a", "SELECT 1"), ("b", "ROLLBACK")] {
        client.send_all(&[raw::parse(name, sql), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    }
    client.query("BEGIN; SELECT 1 / 0");
    client.send_all(&[raw::parse("c", "SELECT 1"), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["25P02"]);
    // What ends it is prepared as ever.
    client.send_all(&[raw::parse("d", "ROLLBACK"), raw::bind("d", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    for name in ["a", "b", "d"] {
        client.send_all(&[raw::bind(name, &[]), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 Z", "{name}");
    }
    client.send_all(&[raw::bind("c", &[]), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["26000"]);
    drop(client);
    pooled.finish();
}

/// The server tells what a SET has changed once it is ready: what is prepared behind it in the same pipeline is read under settings that
/// nobody was told of yet.
#[test]
fn what_is_prepared_behind_a_set_in_its_pipeline_is_for_nobody_else() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_unsettled", 1, NO_PASSWORD);
    let epoch = "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int";
    let value = |raw: &mut Raw, bytes: &[u8]| {
        raw.send(&[bytes, &raw::bind("epoch", &[]), &raw::execute(), &raw::sync()].concat());
        let reply = raw.until(b"Z");
        reply.iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for set in ["SET TimeZone = '-02'", "BEGIN; SET LOCAL TimeZone = '-02'"] {
        // More than workers, so that some share one and its statements.
        let [mut one, mut other, mut third] = [(); 3].map(|()| raw_client(&pooled));
        for raw in [&mut one, &mut other, &mut third] {
            raw.query("SET TimeZone = 'UTC'");
        }
        let sets: Vec<u8> = set.split("; ").flat_map(raw::run).collect();
        let ours = [sets, raw::parse("epoch", epoch)].concat();
        assert_eq!(value(&mut one, &ours), "7200", "{set}");
        assert_eq!(value(&mut one, b""), "7200", "{set}");
        one.query("COMMIT");
        let parse = raw::parse("epoch", epoch);
        assert_eq!([&mut other, &mut third].map(|raw| value(raw, &parse)), ["0", "0"], "{set}");
        // Its own literal is what it was when it was prepared.
        assert_eq!(value(&mut one, b""), "7200", "{set}");
    }
    pooled.finish();
}

/// Unnamed statements that are repeated, prepared by us: each client sees what a server of its own would say.
#[test]
fn what_is_repeated_without_a_name_is_prepared_once_and_no_client_sees_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_repeated", 1, &format!("prepare_unnamed = true\n{NO_PASSWORD}"));
    let other = |sql: &str| pooled.site.direct_sql(sql);
    other("CREATE TABLE shifting (id int PRIMARY KEY); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let mut client = raw_client(&pooled);
    let all = raw::parse("", "SELECT * FROM shifting WHERE id = $1");
    let run = [raw::bind("", &["1"]), raw::execute(), raw::sync()].concat();
    let told = [raw::bind("", &["1"]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    let columns = |client: &mut Raw, bytes: &[&[u8]]| {
        client.send(&bytes.concat());
        let replies = client.until(b"Z");
        let row = replies.iter().find(|reply| reply.code == b'D').map(|row| row.columns().len());
        (reply_codes(&replies), row, sqlstates(&replies))
    };
    let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%shifting%'";
    for time in 1..=8 {
        let expected = ("1 2 T D C Z".to_owned(), Some(1), vec![]);
        assert_eq!(columns(&mut client, &[&all, &told]), expected, "time {time}");
        let expected = if time < 3 { "0" } else { "1" };
        assert_eq!(columns(&mut client, &[&all, &run]).0, "1 2 D C Z", "time {time}");
        assert_eq!(client.rows(prepared), [[expected]], "time {time}");
    }
    // A table that changed past Floodwall is no news, told or not.
    for (added, group) in [("a", &told), ("b", &run)] {
        other(&format!("ALTER TABLE shifting ADD COLUMN {added} text"));
        let (codes, count, _) = columns(&mut client, &[&all, group]);
        assert_eq!((codes.replace("T ", "").as_str(), count), ("1 2 D C Z", Some(if added == "a" { 2 } else { 3 })));
    }
    // It is to who knows the shape from before, as at a server of its own.
    client.send(&[all.clone(), raw::frame(b'D', b"S\0"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 t T Z");
    other("ALTER TABLE shifting ADD COLUMN c text");
    assert_eq!(columns(&mut client, &[&run]).2, ["0A000"]);
    assert_eq!(columns(&mut client, &[&all, &run]).1, Some(4));
    // In a transaction the server has failed, once.
    client.query("BEGIN");
    other("ALTER TABLE shifting ADD COLUMN d text");
    assert_eq!(columns(&mut client, &[&all, &run]).2, ["0A000"]);
    client.query("ROLLBACK");
    client.query("BEGIN");
    assert_eq!(columns(&mut client, &[&all, &run]).1, Some(5));
    client.query("COMMIT");
    // What fails to be prepared, or to run, leaves what it would leave.
    other("DROP TABLE shifting");
    assert_eq!(columns(&mut client, &[&all, &run]).2, ["42P01"]);
    assert_eq!(columns(&mut client, &[&run]).2.len(), 1);
    other("CREATE TABLE shifting (id text); INSERT INTO shifting VALUES ('1'); GRANT ALL ON shifting TO app");
    assert_eq!(columns(&mut client, &[&all, &run]), ("1 2 D C Z".to_owned(), Some(1), vec![]));
    drop(client);
    pooled.finish();
}

/// A temporary table hides another one from its client alone; the server reads no prepared text anew for it.
#[test]
fn a_temporary_table_is_found_by_its_clients_texts_and_by_no_others() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_hidden", 1, NO_PASSWORD);
    pooled.site.direct_sql("CREATE TABLE hidden AS SELECT 'all' AS whose; GRANT ALL ON hidden TO app");
    // More than workers, so that some share one and its statements.
    let mut one = raw_client(&pooled);
    let mut others = [(); 3].map(|()| raw_client(&pooled));
    let whose = |raw: &mut Raw, name: &str, before: &[u8]| {
        raw.send(&[before, &raw::bind(name, &[]), &raw::execute(), &raw::sync()].concat());
        raw.until(b"Z").iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    let text = "SELECT whose FROM hidden";
    // From here on the server's session has a schema for what is temporary.
    one.query("CREATE TEMP TABLE earlier (); DROP TABLE earlier");
    for raw in std::iter::once(&mut one).chain(&mut others) {
        assert_eq!(whose(raw, "a", &raw::parse("a", text)), "all");
    }
    for _ in 0..2 {
        one.query("CREATE TEMP TABLE hidden AS SELECT 'mine' AS whose");
        assert_eq!(whose(&mut one, "b", &raw::parse("b", text)), "mine");
        // Read before, at a server of its own as well.
        assert_eq!(whose(&mut one, "a", b""), "all");
        one.query("DROP TABLE hidden");
        one.query("DEALLOCATE b");
        for raw in std::iter::once(&mut one).chain(&mut others) {
            assert_eq!(whose(raw, "a", b""), "all");
            assert_eq!(whose(raw, "c", &raw::parse("c", text)), "all");
            raw.query("DEALLOCATE c");
        }
    }
    drop((one, others));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_a_pipeline_leaves_no_ghosts() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_errors", 1, "");
    let (client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let good = client.prepare("SELECT 10 / $1::int").await.unwrap();
    let (failed, bad, fine) = tokio::join!(
        client.query_one(&good, &[&0_i32]),
        client.prepare("SELECT no_such_column"),
        client.query_one(&good, &[&5_i32]),
    );
    assert_eq!(failed.unwrap_err().code(), Some(&SqlState::DIVISION_BY_ZERO));
    assert_eq!(bad.unwrap_err().code(), Some(&SqlState::UNDEFINED_COLUMN));
    assert_eq!(fine.unwrap().get::<_, i32>(0), 2);
    // Both texts again, from the other client: one is known to the server, one never was.
    let again = other.prepare("SELECT 10 / $1::int").await.unwrap();
    assert_eq!(other.query_one(&again, &[&2_i32]).await.unwrap().get::<_, i32>(0), 5);
    let bad = other.prepare("SELECT no_such_column").await.unwrap_err();
    assert_eq!(bad.code(), Some(&SqlState::UNDEFINED_COLUMN));
    drop((good, again, client, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changed_fails_once_and_then_works() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter", 1, "");
    pooled
        .site
        .direct_sql("CREATE TABLE shifting (id int); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let client = pooled.site.session("app").await;
    let all = client.prepare("SELECT * FROM shifting").await.unwrap();
    assert_eq!(client.query_one(&all, &[]).await.unwrap().len(), 1);
    pooled.site.direct_sql("ALTER TABLE shifting ADD COLUMN name text");
    let error = client.query_one(&all, &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED), "{error}");
    // The driver believes in one column as long as it has that statement.
    let again = client.prepare("SELECT * FROM shifting").await.unwrap();
    assert_eq!(client.query_one(&again, &[]).await.unwrap().len(), 2);
    drop(again);
    drop((all, client));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_prepares_a_text_behind_a_drop_gets_it_as_at_a_server_of_its_own() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_dropped", 1, "");
    pooled.site.direct_sql("CREATE SCHEMA remade AUTHORIZATION app; CREATE TABLE remade.things (v text); ALTER TABLE remade.things OWNER TO app");
    let (owner, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let text = "SELECT v FROM remade.things WHERE v = $1";
    let old = other.prepare(text).await.unwrap();
    assert_eq!((old.params(), other.query(&old, &[&"x"]).await.unwrap().len()), (&[Type::TEXT][..], 0));
    owner.batch_execute("DROP TABLE remade.things; CREATE TABLE remade.things (v int8)").await.unwrap();
    for client in [&owner, &other] {
        let new = client.prepare(text).await.unwrap();
        assert_eq!((new.params(), client.query(&new, &[&1_i64]).await.unwrap().len()), (&[Type::INT8][..], 0));
    }
    // What a transaction takes back was never so for others, and is over for the client itself.
    owner.batch_execute("BEGIN; ALTER TABLE remade.things ALTER v TYPE text USING v::text").await.unwrap();
    assert_eq!(owner.prepare(text).await.unwrap().params(), [Type::TEXT]);
    owner.batch_execute("ROLLBACK").await.unwrap();
    for client in [&owner, &other] {
        let back = client.prepare(text).await.unwrap();
        assert_eq!((back.params(), client.query(&back, &[&1_i64]).await.unwrap().len()), (&[Type::INT8][..], 0));
    }
    // Nor is there anything left of what was made in it, as test suites do.
    let made = "SELECT v FROM remade.made WHERE v = $1";
    let mut kept = Vec::new();
    for (kind, expected) in [("text", Type::TEXT), ("int8", Type::INT8)] {
        owner.batch_execute(&format!("BEGIN; CREATE TABLE remade.made (v {kind})")).await.unwrap();
        let here = owner.prepare(made).await.unwrap();
        assert_eq!(here.params(), [expected]);
        kept.push(here);
        owner.batch_execute("ROLLBACK").await.unwrap();
    }
    drop((old, kept, owner, other));
    pooled.finish();
}

/// A service that drops its own temporary tables all day must not have everybody prepare anew.
#[tokio::test(flavor = "multi_thread")]
async fn who_drops_a_temporary_table_costs_nobody_a_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_dropped_temp", 1, "");
    pooled.site.direct_sql("CREATE SCHEMA remade AUTHORIZATION app");
    let client = pooled.site.session("app").await;
    let text = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark of temp%'";
    let first = client.prepare(text).await.unwrap();
    let (create, drop_it) = ("CREATE TEMP TABLE scratch (n int)", "DROP TABLE scratch");
    let real = "CREATE TABLE remade.real (n int); DROP TABLE remade.real";
    // What it prepares while it has one is its own.
    for (change, expected) in [(&*format!("{create}; {drop_it}"), 1), (create, 2), (drop_it, 2), (real, 3)] {
        client.batch_execute(change).await.unwrap();
        let again = client.prepare(text).await.unwrap();
        assert_eq!(client.query_one(&again, &[]).await.unwrap().get::<_, i64>(0), expected, "{change}");
    }
    drop((first, client));
    pooled.finish();
}

#[test]
fn a_text_that_a_changed_table_broke_works_for_who_prepares_it_again() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_retyped", 1, NO_PASSWORD);
    let alter = |sql: &str| pooled.site.direct_sql(sql);
    alter("CREATE TABLE retyped (name text); GRANT ALL ON retyped TO app");
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let insert = "INSERT INTO retyped VALUES ($1) RETURNING name";
    let run = |name: &str| [raw::bind(name, &["1"]), raw::execute(), raw::sync()].concat();
    for raw in [&mut client, &mut other] {
        raw.send(&[raw::parse("s", insert), run("s")].concat());
        assert_eq!(reply_codes(&raw.until(b"Z")), "1 2 D C Z");
    }
    alter("ALTER TABLE retyped ALTER name TYPE int USING name::int");
    // As at a server of one's own, with that name and for good.
    for _ in 0..2 {
        client.send(&run("s"));
        assert_eq!(sqlstates(&client.until(b"Z")), ["42804"]);
    }
    client.send(&[raw::parse("t", insert), run("t")].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    other.send(&run("s"));
    assert_eq!(sqlstates(&other.until(b"Z")), ["42804"]);
    other.send(&[raw::close_statement("s"), raw::parse("s", insert), run("s")].concat());
    assert_eq!(reply_codes(&other.until(b"Z")), "3 1 2 D C Z");
    drop((client, other));
    pooled.finish();
}

#[test]
fn a_table_that_changed_is_no_news_to_who_asks_for_the_shape_with_the_rows() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter_told", 1, NO_PASSWORD);
    let alter = |sql: &str| pooled.site.direct_sql(sql);
    alter("CREATE TABLE shifting (id int); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let told = [raw::bind("s", &[]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    let untold = [raw::bind("s", &[]), raw::execute(), raw::sync()].concat();
    for raw in [&mut client, &mut other] {
        raw.send(&[raw::parse("s", "SELECT * FROM shifting"), raw::sync(), told.clone()].concat());
        assert_eq!(reply_codes(&raw.until(b"Z")), "1 Z");
        assert_eq!(reply_codes(&raw.until(b"Z")), "2 T D C Z");
    }
    alter("ALTER TABLE shifting ADD COLUMN a text");
    client.send(&told);
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "2 T D C Z");
    assert_eq!(reply[1].body[..2], [0, 2], "two columns are told");
    other.send(&told);
    assert_eq!(reply_codes(&other.until(b"Z")), "2 T D C Z");
    // Who asked for the shape earlier would read rows of another one.
    alter("ALTER TABLE shifting ADD COLUMN b text");
    client.send(&untold);
    assert_eq!(sqlstates(&client.until(b"Z")), ["0A000"]);
    // In a transaction the server has failed for good.
    client.send(&told);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    other.query("BEGIN");
    alter("ALTER TABLE shifting ADD COLUMN c text");
    other.send(&told);
    let denied = other.until(b"Z");
    assert_eq!((sqlstates(&denied), &denied.last().unwrap().body[..]), (vec!["0A000".to_owned()], &b"E"[..]));
    other.query("ROLLBACK");
    // So is a group with more behind it, whose next part must not be overtaken.
    alter("ALTER TABLE shifting ADD COLUMN d text");
    client.send(&[told.clone(), raw::run("SELECT 1"), raw::sync()].concat());
    let both = [client.until(b"Z"), client.until(b"Z")];
    assert!(matches!(&*reply_codes(&both[0]), "E Z" | "2 T D C Z"), "{}", reply_codes(&both[0]));
    assert_eq!(reply_codes(&both[1]), "1 2 D C Z");
    // What cannot be prepared any more fails with the server's words, and the session goes on.
    client.send(&told);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    alter("DROP TABLE shifting");
    client.send(&told);
    assert_eq!(sqlstates(&client.until(b"Z")), ["42P01"]);
    alter("CREATE TABLE shifting (id bigint); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    for raw in [&mut client, &mut other] {
        raw.send(&told);
        assert_eq!(reply_codes(&raw.until(b"Z")), "2 T D C Z");
    }
    drop((client, other));
    pooled.finish();
}

#[test]
fn statements_of_all_clients_are_counted_as_memory_and_given_back() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_memory", 1, &format!("{NO_PASSWORD}\n[limits]\nmemory = '16MiB'"));
    let prepare = |raw: &mut Raw, client: usize| {
        let filler = "x".repeat(20_000);
        (0..150).find_map(|n| {
            raw.send(
                &[raw::parse(&format!("s{n}"), &format!("SELECT 'c{client} s{n} {filler}'")), raw::sync()].concat(),
            );
            sqlstates(&raw.until(b"Z")).into_iter().next()
        })
    };
    let mut clients: Vec<Raw> = Vec::new();
    let refused = (0..10).find_map(|client| {
        let mut raw = raw_client(&pooled);
        let refused = prepare(&mut raw, client);
        clients.push(raw);
        refused
    });
    assert_eq!(refused.as_deref(), Some("53200"));
    // Short ones find room again once somebody has left.
    let mut last = clients.pop().unwrap();
    drop(clients);
    let again = wait_until(SOON, || {
        last.send(
            &[raw::close_statement("late"), raw::parse("late", &format!("SELECT '{}'", "y".repeat(20_000)))].concat(),
        );
        last.send(&raw::sync());
        sqlstates(&last.until(b"Z")).is_empty()
    });
    assert!(again);
    assert_eq!(prepare(&mut raw_client(&pooled), 99), None);
    drop(last);
    pooled.finish();
}

#[test]
fn an_unnamed_statement_is_never_one_of_ours() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_unnamed", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    for (mine, theirs) in [("SELECT 1", "SET work_mem = '5MB'"), ("SET work_mem = '6MB'", "SELECT 1"), ("LISTEN x", "")]
    {
        client.query(mine);
        client.send(&[raw::parse("", "SELECT 'mine', $1::text"), raw::sync()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
        if !theirs.is_empty() {
            other.query(theirs);
        }
        // Settings of one client or the other went to the server meanwhile, or it was asked what was left.
        client.send(&[raw::bind("", &["x"]), raw::execute(), raw::sync()].concat());
        let reply = client.until(b"Z");
        assert_eq!(reply_codes(&reply), "2 D C Z", "{mine}; {theirs}: {:?}", sqlstates(&reply));
        assert_eq!(reply.iter().find(|m| m.code == b'D').unwrap().columns(), ["mine", "x"]);
    }
    client.send(&[raw::run("SELECT set_config('app.x', 'y', false)"), raw::sync()].concat());
    client.until(b"Z");
    client.send(&[raw::bind("", &[]), raw::execute(), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    drop((client, other));
    pooled.finish();
}

#[test]
fn a_column_whose_type_changed_is_news_once() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter_type", 1, NO_PASSWORD);
    pooled.site.direct_sql("CREATE TABLE typed (id int); INSERT INTO typed VALUES (1); GRANT ALL ON typed TO app");
    let mut client = raw_client(&pooled);
    let told = [raw::bind("s", &[]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    client.send(&[raw::parse("s", "SELECT id FROM typed"), raw::sync(), told.clone()].concat());
    client.until(b"Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    for (of, replies) in [("bigint", &["E Z", "2 T D C Z"][..]), ("int", &["2 T D C Z"]), ("bigint", &["2 T D C Z"])] {
        pooled.site.direct_sql(&format!("ALTER TABLE typed ALTER id TYPE {of}"));
        for expected in replies {
            client.send(&told);
            assert_eq!(reply_codes(&client.until(b"Z")), *expected, "{of}");
        }
    }
    drop(client);
    pooled.finish();
}

#[test]
fn pgbench_runs_each_protocol_on_two_servers() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_pgbench", 2, "prepare_unnamed = true");
    run(pooled.site.program("pgbench").args(["-i", "-s", "2", "-q"]));
    for protocol in ["simple", "extended", "prepared"] {
        // A thread of pgbench prepares without looking after its other clients, which may have all servers in their transactions.
        for script in
            [&["-c", "2", "-t", "60"][..], &["-c", "8", "-S", "-t", "200"], &["-c", "8", "-S", "-C", "-t", "10"]]
        {
            let args = [&["-j", "2", "-M", protocol], script].concat();
            let out = run(pooled.site.program("pgbench").args(&args));
            assert!(stdout(&out).contains("number of failed transactions: 0"), "{args:?}: {}", stderr(&out));
        }
    }
    pooled.finish();
}

#[test]
fn drivers_run_on_a_pool() {
    if direct() {
        return;
    }
    // These two send what they repeat without a name.
    let repeating = ["jdbc", "node"].map(|driver| (driver, "prepare_unnamed = true"));
    for (driver, keys) in drivers::ALL.into_iter().map(|driver| (driver, "")).chain(repeating) {
        let pooled = Pooled::new(&format!("pool_{driver}"), 2, keys);
        drivers::drive_at(driver, &pooled.site);
        pooled.finish();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dies_in_a_pipeline_leaves_the_servers_statements_right() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_dies", 1, "");
    let other = pooled.site.session("app").await;
    for text in ["SELECT $1::int, 'of the dead'", "SELECT $1::int, 'of the dead too'"] {
        let target = pooled.site.proxy.conn_str("app", &pooled.site.database);
        let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let slow = client.prepare("SELECT pg_sleep($1)").await.unwrap();
        let task = tokio::spawn(async move {
            let (slept, prepared) = tokio::join!(client.query(&slow, &[&60_f64]), client.prepare(text));
            (slept.is_ok(), prepared.is_ok())
        });
        assert!(wait_until(SOON, || pooled.sleepers() == 1));
        connection.abort();
        assert_eq!(task.await.unwrap(), (false, false));
        let statement = other.prepare(text).await.unwrap();
        assert_eq!(other.query_one(&statement, &[&3]).await.unwrap().get::<_, i32>(0), 3);
    }
    assert_eq!(one(&other, "SELECT 1").await.unwrap(), "1");
    drop(other);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_cut_and_roll_back_leaves_the_pool_in_step() {
    if direct() {
        return;
    }
    let rules = "[rules.result_budget]\nmax_rows = 100\n[rules.write_budget]\nmode = 'enforce'\nmax_rows = 10";
    let pooled = Pooled::new("pool_rules", 1, rules);
    pooled.site.direct_sql("CREATE TABLE written (id int); GRANT ALL ON written TO app");
    let (client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let many = client.prepare("SELECT generate_series(1, $1::int)").await.unwrap();
    let write = client.prepare("INSERT INTO written SELECT generate_series(1, $1::int)").await.unwrap();
    for _ in 0..3 {
        let cut = client.query(&many, &[&100_000]).await.unwrap_err();
        assert_eq!(cut.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED), "{cut}");
        assert_eq!(other.query("SELECT generate_series(1, $1::int)", &[&5]).await.unwrap().len(), 5);
        let (cut, fine) = tokio::join!(client.query(&many, &[&100_000]), client.query(&many, &[&7]));
        assert!(cut.is_err());
        assert_eq!(fine.unwrap().len(), 7);
        for sql in ["SELECT generate_series(1, 100000)", "BEGIN; SELECT generate_series(1, 100000)"] {
            assert!(client.batch_execute(sql).await.is_err(), "{sql}");
        }
        client.batch_execute("ROLLBACK").await.unwrap();
        let over = client.execute(&write, &[&50]).await.unwrap_err();
        assert_eq!(over.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED), "{over}");
        assert!(client.batch_execute("INSERT INTO written SELECT generate_series(1, 50)").await.is_err());
        assert_eq!(client.execute(&write, &[&3]).await.unwrap(), 3);
        assert_eq!(client.batch_execute("DELETE FROM written WHERE id < 4").await.ok(), Some(()));
        let refused = client.prepare("DELETE FROM written").await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED), "{refused}");
        client.batch_execute("BEGIN").await.unwrap();
        assert!(client.prepare("DELETE FROM written").await.is_err());
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(one(&other, "SELECT count(*) FROM written").await.unwrap(), "0");
    drop((many, write, client, other));
    pooled.finish();
}
