//! Prepared statements of the protocol where many clients share few servers.

mod apart;
mod changed;
mod forgotten;
mod skipped;
mod texts;
mod unnamed;

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

#[test]
fn a_pipeline_that_ends_all_names_gives_them_again() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_ends_all", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let run = |name: &str| [raw::bind(name, &["2"]), raw::execute(), raw::sync()].concat();
    other.send(&[raw::parse("s0", "SELECT $1::int + 40"), run("s0")].concat());
    assert_eq!(reply_codes(&other.until(b"Z")), "1 2 D C Z");
    client.send(&[raw::parse("s0", "SELECT $1::int + 1"), run("s0")].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    // The server has the text, for the other client, until it comes to the end of all.
    let again = [raw::parse("s0", "SELECT $1::int + 40"), run("s0")].concat();
    for all in ["DEALLOCATE ALL", "DISCARD ALL"] {
        client.send(&[raw::query(all), again.clone()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "C Z", "{all}");
        assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z", "{all}");
    }
    client.send(&[raw::run("DEALLOCATE ALL"), again].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C 1 2 D C Z");
    client.send(&[raw::run("DEALLOCATE ALL"), run("s0")].concat());
    assert_eq!(sqlstates(&client.until(b"Z")), ["26000"]);
    other.send(&run("s0"));
    assert_eq!(reply_codes(&other.until(b"Z")), "2 D C Z");
    drop((client, other));
    pooled.finish();
}

#[test]
fn a_deallocate_that_a_failed_transaction_denies_takes_no_name_away() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_denied", 1, NO_PASSWORD);
    let mut client = raw_client(&pooled);
    let run = [raw::bind("s0", &["2"]), raw::execute(), raw::sync()].concat();
    client.send(&[raw::parse("s0", "SELECT $1::int + 40"), run.clone()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    client.query("BEGIN; SELECT 1/0");
    client.send(&[raw::run("DEALLOCATE s0"), raw::sync()].concat());
    assert_eq!(sqlstates(&client.until(b"Z")), ["25P02"]);
    client.query("ROLLBACK");
    client.send(&run);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    client.send(&[raw::run("DEALLOCATE s0"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    drop(client);
    pooled.finish();
}

/// Whoever calls one waits for the end of the answer: it sends no Sync.
#[test]
fn a_function_call_that_gets_no_server_is_answered_to_its_end() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_call", 1, &format!("query_wait_timeout = '1s'\n{NO_PASSWORD}"));
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    other.query("BEGIN; SELECT 1");
    // `pg_backend_pid`, with no values, and what it returns as text.
    let call = raw::frame(b'F', &[&2026_u32.to_be_bytes()[..], &[0; 6]].concat());
    client.send(&[call.clone(), raw::query("SELECT 1")].concat());
    for _ in 0..2 {
        assert_eq!(sqlstates(&client.until(b"Z")), ["53300"]);
    }
    other.query("ROLLBACK");
    client.send(&call);
    assert_eq!(reply_codes(&client.until(b"Z")), "V Z");
    drop((client, other));
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
