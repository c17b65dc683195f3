//! Prepared statements of the protocol where servers are lent.

use super::{SOON, join, leave, one, pid, pool, reload, state};
use crate::pooling::waits;
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{
    Message, Raw, bind, close_statement, describe_statement, execute, flush, frame, parse, query, reply_codes,
    sqlstates, sync,
};

/// Sends these and a Sync; the whole reply.
fn ask(client: &mut Raw, messages: &[Vec<u8>]) -> Vec<Message> {
    client.send_all(&[messages.concat(), sync()]);
    client.until(b"Z")
}

/// Runs a statement that was prepared; the only value of its only row.
fn run(client: &mut Raw, name: &str, values: &[&str]) -> String {
    let reply = ask(client, &[bind(name, values), execute()]);
    assert_eq!(reply_codes(&reply), "2 D C Z", "{name}: {:?}", sqlstates(&reply));
    reply.iter().find(|message| message.code == b'D').unwrap().columns()[0].clone()
}

/// The error that these end with, outside a transaction.
fn error(client: &mut Raw, messages: &[Vec<u8>]) -> String {
    let reply = ask(client, messages);
    assert_eq!(state(&reply), b'I');
    sqlstates(&reply).join(" ")
}

fn prepare(client: &mut Raw, name: &str, sql: &str) {
    assert_eq!(reply_codes(&ask(client, &[parse(name, sql)])), "1 Z", "{sql}");
}

#[test]
fn a_statement_outlives_its_server() {
    if direct() {
        return;
    }
    let pool = pool("bhv_reprepare", 2, "");
    let mut client = join(&pool);
    prepare(&mut client, "s", "SELECT $1::int + 1");
    assert_eq!(run(&mut client, "s", &["1"]), "2");
    let server = pid(&mut client);
    pool.site.direct_sql(&format!("SELECT pg_terminate_backend({server})"));
    let alive = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {server}");
    assert!(wait_until(SOON, || pool.site.direct_sql(&alive) == "0"));
    assert_eq!(reply_codes(&ask(&mut client, &[describe_statement("s")])), "t T Z");
    assert_eq!(run(&mut client, "s", &["2"]), "3");
    assert_ne!(pid(&mut client), server);
    // At each of two servers at once, described and executed without another Parse.
    let (mut one_more, mut another) = (join(&pool), join(&pool));
    for client in [&mut one_more, &mut another] {
        prepare(client, "s", "SELECT $1::int * 10");
    }
    for client in [&mut one_more, &mut another] {
        client.rows("BEGIN");
        assert_eq!(run_in_transaction(client, "s", "4"), "40");
        assert_eq!(reply_codes(&ask(client, &[describe_statement("s")])), "t T Z");
    }
    assert_ne!(pid(&mut one_more), pid(&mut another));
    drop((client, one_more, another));
    pool.finish();
}

fn run_in_transaction(client: &mut Raw, name: &str, value: &str) -> String {
    let reply = ask(client, &[bind(name, &[value]), execute()]);
    assert_eq!((reply_codes(&reply).as_str(), state(&reply)), ("2 D C Z", b'T'), "{:?}", sqlstates(&reply));
    reply[1].columns()[0].clone()
}

#[test]
fn a_server_keeps_so_many_statements() {
    if direct() {
        return;
    }
    let pool = pool("bhv_lru", 1, "max_prepared_statements = 2\n");
    let (mut client, mut other) = (join(&pool), join(&pool));
    let names = ["s0", "s1", "s2", "s3", "s4"];
    for (number, name) in names.iter().enumerate() {
        prepare(&mut client, name, &format!("SELECT $1::int + {number}"));
    }
    prepare(&mut other, "s0", "SELECT $1::int * 100");
    let kept = "SELECT count(*) FROM pg_prepared_statements";
    for _ in 0..3 {
        for (number, name) in names.iter().enumerate() {
            assert_eq!(run(&mut client, name, &["10"]), (10 + number).to_string());
            assert_eq!(run(&mut other, "s0", &["3"]), "300");
            let count: u32 = one(&mut other, kept).parse().unwrap();
            assert!(count <= 2, "{count} are prepared");
        }
    }
    // All of them before one Sync: more than the server keeps.
    let all: Vec<_> = names.iter().flat_map(|name| [bind(name, &["20"]), execute()]).collect();
    let reply = ask(&mut client, &all);
    let values: Vec<_> =
        reply.iter().filter(|message| message.code == b'D').map(|row| row.columns()[0].clone()).collect();
    assert_eq!(values, ["20", "21", "22", "23", "24"], "{:?}", sqlstates(&reply));
    let count: u32 = one(&mut other, kept).parse().unwrap();
    assert!(count <= 2, "{count} are prepared");
    drop((client, other));
    pool.finish();
}

#[test]
fn names_are_their_clients_own() {
    if direct() {
        return;
    }
    let pool = pool("bhv_names", 1, "");
    let (mut mine, mut theirs) = (join(&pool), join(&pool));
    prepare(&mut mine, "s", "SELECT 'mine'");
    assert_eq!(error(&mut theirs, &[bind("s", &[]), execute()]), "26000");
    assert_eq!(error(&mut theirs, &[describe_statement("s")]), "26000");
    prepare(&mut theirs, "s", "SELECT 'theirs'");
    assert_eq!(error(&mut mine, &[parse("s", "SELECT 'taken'")]), "42P05");
    assert_eq!((run(&mut mine, "s", &[]), run(&mut theirs, "s", &[])), ("mine".to_owned(), "theirs".to_owned()));
    // Closed for one, not for the other; what does not exist can be closed as well.
    assert_eq!(reply_codes(&ask(&mut mine, &[close_statement("s"), close_statement("none")])), "3 3 Z");
    assert_eq!(error(&mut mine, &[bind("s", &[]), execute()]), "26000");
    assert_eq!(run(&mut theirs, "s", &[]), "theirs");
    prepare(&mut mine, "s", "SELECT 'another'");
    assert_eq!(run(&mut mine, "s", &[]), "another");
    // In one pipeline: closed, prepared anew, executed.
    let again = [close_statement("s"), parse("s", "SELECT 'third'"), bind("s", &[]), execute()];
    assert_eq!(reply_codes(&ask(&mut mine, &again)), "3 1 2 D C Z");
    assert_eq!((run(&mut mine, "s", &[]), run(&mut theirs, "s", &[])), ("third".to_owned(), "theirs".to_owned()));
    // The statement without a name stays with its client too, though another one has used the server.
    prepare(&mut mine, "", "SELECT 'unnamed of mine'");
    prepare(&mut theirs, "", "SELECT 'unnamed of theirs'");
    assert_eq!(run(&mut mine, "", &[]), "unnamed of mine");
    assert_eq!(run(&mut theirs, "", &[]), "unnamed of theirs");
    drop((mine, theirs));
    pool.finish();
}

#[test]
fn what_failed_to_be_prepared_has_no_name() {
    if direct() {
        return;
    }
    let pool = pool("bhv_ghosts", 1, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    prepare(&mut client, "good", "SELECT 'good'");
    assert_eq!(error(&mut client, &[parse("s", "SELECT no_such_column")]), "42703");
    assert_eq!(error(&mut client, &[bind("s", &[]), execute()]), "26000");
    // The rest of a pipeline behind an error was never done.
    let skipped = [bind("none", &[]), execute(), parse("s", "SELECT 'skipped'"), close_statement("good")];
    assert_eq!(error(&mut client, &skipped), "26000");
    assert_eq!(error(&mut client, &[bind("s", &[]), execute()]), "26000");
    assert_eq!(run(&mut client, "good", &[]), "good");
    // Neither was what a failed transaction refused.
    client.rows("BEGIN");
    client.query("SELECT 1/0");
    assert_eq!(sqlstates(&ask(&mut client, &[parse("s", "SELECT 'late'")])), ["25P02"]);
    client.rows("ROLLBACK");
    assert_eq!(error(&mut client, &[bind("s", &[]), execute()]), "26000");
    // What was prepared in a transaction outlives its end, either way.
    client.rows("BEGIN");
    assert_eq!(reply_codes(&ask(&mut client, &[parse("s", "SELECT 'kept'")])), "1 Z");
    client.rows("ROLLBACK");
    assert_eq!(one(&mut other, "SELECT 'between'"), "between");
    assert_eq!(run(&mut client, "s", &[]), "kept");
    assert_eq!(run(&mut client, "good", &[]), "good");
    drop((client, other));
    pool.finish();
}

#[test]
fn what_is_flushed_keeps_its_server_to_the_sync() {
    if direct() {
        return;
    }
    let pool = pool("bhv_flush", 1, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    client.send_all(&[parse("s", "SELECT $1::int + 5"), describe_statement("s"), flush()]);
    assert_eq!(reply_codes(&client.until(b"T")), "1 t T");
    other.send(&query("SELECT 'served'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    client.send_all(&[bind("s", &["1"]), execute(), flush()]);
    assert_eq!(reply_codes(&client.until(b"C")), "2 D C");
    // An error needs no Flush to be told, and ends nothing before the Sync.
    client.send(&bind("none", &[]));
    assert_eq!(sqlstates(&client.until(b"E")), ["26000"]);
    assert_eq!(waits(&pool), 1);
    client.send(&sync());
    assert_eq!(reply_codes(&client.until(b"Z")), "Z");
    assert_eq!(other.until(b"Z")[1].columns(), ["served"]);
    assert_eq!(run(&mut client, "s", &["2"]), "7");
    drop((client, other));
    pool.finish();
}

#[test]
fn a_reload_lowers_how_many_statements_a_standing_server_keeps() {
    if direct() {
        return;
    }
    let pool = pool("bhv_fewer", 1, "max_prepared_statements = 5\nserver_idle_timeout = '1m'\n");
    let mut client = join(&pool);
    let server = pid(&mut client);
    let names = ["s0", "s1", "s2", "s3", "s4"];
    for name in names {
        prepare(&mut client, name, &format!("SELECT '{name}'"));
        assert_eq!(run(&mut client, name, &[]), name);
    }
    let kept = |client: &mut Raw| one(client, "SELECT count(*) FROM pg_prepared_statements WHERE name <> ''");
    assert_eq!(kept(&mut client), "5");
    reload(&pool, "max_prepared_statements = 5", "max_prepared_statements = 2");
    prepare(&mut client, "s5", "SELECT 's5'");
    assert_eq!((run(&mut client, "s5", &[]), kept(&mut client)), ("s5".to_owned(), "2".to_owned()));
    // What was closed for that is prepared again when it is asked for.
    for name in names {
        assert_eq!(run(&mut client, name, &[]), name);
    }
    assert_eq!((kept(&mut client), pid(&mut client)), ("2".to_owned(), server));
    let held = || pool.site.proxy.held("floodwall_prepared_statements");
    assert!(held() >= 6.0 && pool.site.proxy.held("floodwall_prepared_bytes") > 6.0 * 10.0, "{}", held());
    drop(client);
    assert!(wait_until(SOON, || held() == 0.0 && pool.site.proxy.held("floodwall_prepared_bytes") == 0.0));
    leave(&pool);
}

/// Around the sizes of buffers and of what is held to be judged: the name in each of these messages is exchanged for another.
#[test]
fn texts_values_and_names_of_any_size_are_prepared_and_run() {
    if direct() {
        return;
    }
    let pool = pool("bhv_sizes", 2, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    for size in [2_000, 4_095, 4_096, 8_191, 16_384, 65_530, 65_536, 300_000, 1_200_000] {
        // Another text each time, and a name that is long as well: up to what PostgreSQL takes in a Close.
        let (text, name) = (format!("SELECT length($1), '{}'", "t".repeat(size)), "n".repeat(size.min(9_900)));
        let value = "v".repeat(size);
        for client in [&mut client, &mut other] {
            prepare(client, &name, &text);
            assert_eq!(run(client, &name, &[&value]), size.to_string());
        }
        // At another server, where it has to be prepared again: the first one has it in its transaction.
        client.rows("BEGIN");
        assert_eq!(run_in_transaction(&mut client, &name, &value), size.to_string());
        assert_eq!(run(&mut other, &name, &[&value]), size.to_string());
        client.rows("COMMIT");
        for client in [&mut client, &mut other] {
            assert_eq!(reply_codes(&ask(client, &[close_statement(&name)])), "3 Z");
            assert_eq!(error(client, &[bind(&name, &[&value]), execute()]), "26000");
        }
    }
    drop((client, other));
    pool.finish();
}

/// A COPY can be prepared as well.
#[test]
fn a_prepared_copy_runs_and_fails_as_any_other() {
    if direct() {
        return;
    }
    let pool = pool("bhv_copy_prepared", 1, "");
    pool.site.direct_sql("CREATE TABLE t (n int); GRANT ALL ON t TO app");
    let (mut client, mut other) = (join(&pool), join(&pool));
    prepare(&mut client, "in", "COPY t FROM STDIN");
    prepare(&mut client, "out", "COPY t TO STDOUT");
    let copy = |client: &mut Raw, data: &[u8]| {
        client.send_all(&[bind("in", &[]), execute(), flush()]);
        assert_eq!(reply_codes(&client.until(b"G")), "2 G");
        client.send_all(&[frame(b'd', data), frame(b'c', &[]), sync()]);
        client.until(b"Z")
    };
    assert_eq!(reply_codes(&copy(&mut client, b"1\n2\n")), "C Z");
    assert_eq!(sqlstates(&copy(&mut client, b"no number\n")), ["22P02"]);
    assert_eq!(one(&mut other, "SELECT sum(n) FROM t"), "3");
    assert_eq!(reply_codes(&ask(&mut client, &[bind("out", &[]), execute()])), "2 H d d c C Z");
    assert_eq!(reply_codes(&copy(&mut client, b"3\n")), "C Z");
    assert_eq!(one(&mut other, "SELECT sum(n) FROM t"), "6");
    drop((client, other));
    pool.finish();
}

/// An error, and long after it the Sync: nobody else gets the server meanwhile, and what was prepared before it is there.
#[test]
fn the_sync_of_a_failed_pipeline_may_come_late() {
    if direct() {
        return;
    }
    let pool = pool("bhv_late_sync", 1, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    client.send_all(&[parse("s", "SELECT 'kept'"), parse("bad", "SELECT no_such_column"), bind("bad", &[]), flush()]);
    assert_eq!(sqlstates(&client.until(b"E")).last().map(String::as_str), Some("42703"));
    other.send(&query("SELECT 'other'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    client.send_all(&[bind("s", &[]), execute(), parse("skipped", "SELECT 1")]);
    assert!(client.is_silent(std::time::Duration::from_millis(300)), "it was skipped up to the Sync");
    client.send(&sync());
    assert_eq!(reply_codes(&client.until(b"Z")), "Z");
    assert_eq!(other.until(b"Z")[1].columns(), ["other"]);
    assert_eq!(run(&mut client, "s", &[]), "kept");
    assert_eq!(error(&mut client, &[bind("skipped", &[]), execute()]), "26000");
    drop((client, other));
    pool.finish();
}

#[test]
fn a_pause_comes_behind_the_sync_of_a_pipeline() {
    if direct() {
        return;
    }
    let pool = pool("bhv_pause_sync", 1, "");
    let mut client = join(&pool);
    client.send_all(&[parse("s", "SELECT 'first'"), bind("s", &[]), execute(), flush()]);
    assert_eq!(reply_codes(&client.until(b"C")), "1 2 D C");
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| pool.site.proxy.console("PAUSE"));
        assert!(wait_until(SOON, || pool.site.proxy.log().contains("audit: paused")));
        client.send_all(&[bind("s", &[]), execute(), sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
        pause.join().unwrap().unwrap();
    });
    client.send_all(&[bind("s", &[]), execute(), sync()]);
    assert!(wait_until(SOON, || waits(&pool) == 1));
    pool.site.proxy.console("RESUME").unwrap();
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    drop(client);
    pool.finish();
}

#[test]
fn what_is_prepared_and_bound_is_counted() {
    if direct() {
        return;
    }
    let pool = pool("bhv_counts", 1, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    for client in [&mut client, &mut other] {
        prepare(client, "s", "SELECT $1::int");
        assert_eq!((run(client, "s", &["1"]), run(client, "s", &["2"])), ("1".to_owned(), "2".to_owned()));
    }
    drop((client, other));
    leave(&pool);
    let stats = pool.site.proxy.console("SHOW STATS").unwrap();
    let row = stats.iter().find(|row| row["database"] == pool.site.database).unwrap();
    let counts = ["total_client_parse_count", "total_server_parse_count", "total_bind_count"].map(|name| &*row[name]);
    // Twice by clients, once at the only server for each worker that they were on, four times with values.
    assert!(counts == ["2", "1", "4"] || counts == ["2", "2", "4"], "{row:?}");
}
