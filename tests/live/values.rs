//! What statements carry beside their text: bound limits and arrays, and how much of a portal is fetched.

use std::time::{Duration, Instant};

use crate::support::raw::{self, Message, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

use super::rules::{assert_refusal, site};

const TEXT: u16 = 0;
const BINARY: u16 = 1;

/// Binds and runs a prepared statement; the whole reply.
fn run_bound(client: &mut Raw, statement: &str, values: &[(u16, Option<&[u8]>)]) -> Vec<Message> {
    client.send_all(&[raw::bind_values("", statement, values), raw::execute(), raw::sync()]);
    client.until(b"Z")
}

fn rows(reply: &[Message]) -> usize {
    assert!(sqlstates(reply).is_empty(), "{:?}", reply.iter().map(Message::summary).collect::<Vec<_>>());
    reply.iter().filter(|message| message.code == b'D').count()
}

/// An array of integers in binary form.
fn integers(count: i32) -> Vec<u8> {
    let mut value: Vec<u8> = [1_i32, 0, 23, count, 1].iter().flat_map(|word| word.to_be_bytes()).collect();
    (1..=count).for_each(|n| value.extend([4_i32.to_be_bytes(), n.to_be_bytes()].concat()));
    value
}

fn integers_as_text(count: i32) -> Vec<u8> {
    let items: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
    format!("{{{}}}", items.join(",")).into_bytes()
}

#[test]
fn a_bound_limit_counts_in_every_form() {
    let Some(site) = site("limit", "") else { return };
    let mut client = site.raw();
    for sql in ["SELECT * FROM big LIMIT $1", "SELECT * FROM big ORDER BY n FETCH FIRST $1 ROWS ONLY"] {
        client.send_all(&[raw::parse("s", sql), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z", "{sql}");
        for (format, few, many) in [
            (TEXT, b"10".to_vec(), b"1000000".to_vec()),
            (BINARY, 10_i64.to_be_bytes().to_vec(), 1_000_000_i64.to_be_bytes().to_vec()),
        ] {
            assert_eq!(rows(&run_bound(&mut client, "s", &[(format, Some(&few))])), 10, "{sql}");
            let refused = run_bound(&mut client, "s", &[(format, Some(&many))]);
            assert_eq!(reply_codes(&refused), "2 E Z", "{sql}");
            assert_refusal(&refused[1], "unbounded_select");
            assert!(refused[1].summary().contains("400000"), "{}", refused[1].summary());
        }
        let all = run_bound(&mut client, "s", &[(TEXT, None)]);
        assert_refusal(&all[1], "unbounded_select");
        assert_eq!(rows(&run_bound(&mut client, "s", &[(TEXT, Some(b"3"))])), 3, "the statement is as it was");
        client.send_all(&[raw::close_statement("s"), raw::sync()]);
        client.until(b"Z");
    }
    drop(client);
    site.finish();
}

#[test]
fn inside_a_transaction_a_refused_limit_aborts_it() {
    let Some(site) = site("limittx", "") else { return };
    let mut client = site.raw();
    client.query("CREATE TABLE t (n int)");
    client.query("BEGIN");
    client.query("INSERT INTO t VALUES (1)");
    client.send_all(&[raw::parse("s", "SELECT * FROM big LIMIT $1"), raw::sync()]);
    client.until(b"Z");
    let refused = run_bound(&mut client, "s", &[(TEXT, Some(b"20000"))]);
    assert_refusal(refused.iter().find(|message| message.code == b'E').unwrap(), "unbounded_select");
    assert_eq!(refused.last().unwrap().body, b"E");
    assert_eq!(sqlstates(&client.query("SELECT 1")), ["25P02"]);
    client.query("COMMIT");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]], "COMMIT rolled back");
    assert_eq!(rows(&run_bound(&mut client, "s", &[(TEXT, Some(b"7"))])), 7);
    drop(client);
    site.finish();
}

#[test]
fn arrays_of_too_many_elements_are_refused_in_writes_alone() {
    let Some(site) = site("arrays", "") else { return };
    let mut client = site.raw();
    let writes = [
        "UPDATE small SET text = 'y' WHERE n = ANY ($1::int[])",
        "DELETE FROM small WHERE n IN (SELECT unnest($1::int[]))",
        "INSERT INTO small SELECT v, 'x' FROM unnest($1::int[]) AS v",
        "WITH d AS (DELETE FROM small WHERE n = ANY (CAST($1 AS int[])) RETURNING n) SELECT count(*) FROM d",
    ];
    for sql in writes {
        client.send_all(&[raw::parse("w", sql), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z", "{sql}");
        for (format, many) in [(TEXT, integers_as_text(80_000)), (BINARY, integers(80_000))] {
            let refused = run_bound(&mut client, "w", &[(format, Some(&many))]);
            assert_eq!(reply_codes(&refused), "E Z", "{sql}");
            assert_refusal(&refused[0], "bulk_write");
            assert_eq!(refused[1].body, b"I");
        }
        client.send_all(&[raw::close_statement("w"), raw::sync()]);
        client.until(b"Z");
    }
    assert_eq!(client.rows("SELECT count(*), count(*) FILTER (WHERE text = 'y') FROM small"), [["100", "0"]]);
    client.send_all(&[raw::parse("w", writes[0]), raw::sync()]);
    client.until(b"Z");
    for (format, few) in [(TEXT, integers_as_text(5_000)), (BINARY, integers(5_000))] {
        assert_eq!(reply_codes(&run_bound(&mut client, "w", &[(format, Some(&few))])), "2 C Z");
    }
    assert_eq!(reply_codes(&run_bound(&mut client, "w", &[(TEXT, None)])), "2 C Z", "NULL names no row");
    client.send_all(&[raw::parse("r", "SELECT count(*) FROM big WHERE n = ANY ($1::int[])"), raw::sync()]);
    client.until(b"Z");
    assert_eq!(rows(&run_bound(&mut client, "r", &[(BINARY, Some(&integers(80_000)))])), 1, "reading is no bulk write");
    drop(client);
    site.finish();
}

/// A first value that is large keeps nobody from seeing the second one.
#[test]
fn an_array_behind_a_large_value_is_found() {
    let Some(site) = site("behind", "") else { return };
    let mut client = site.raw();
    let sql = "UPDATE small SET text = left($1, 5) WHERE n = ANY ($2::int[])";
    client.send_all(&[raw::parse("w", sql), raw::sync()]);
    client.until(b"Z");
    let large = vec![b'x'; 3 << 20];
    for (format, many, few) in
        [(TEXT, integers_as_text(6_000), integers_as_text(5)), (BINARY, integers(6_000), integers(5))]
    {
        let refused = run_bound(&mut client, "w", &[(TEXT, Some(&large)), (format, Some(&many))]);
        assert_eq!(reply_codes(&refused), "E Z");
        assert_refusal(&refused[0], "bulk_write");
        let passes = run_bound(&mut client, "w", &[(TEXT, Some(&large)), (format, Some(&few))]);
        assert_eq!(reply_codes(&passes), "2 C Z");
    }
    drop(client);
    site.finish();
}

/// As a driver with a fetch size reads: what it asks for at once is bounded, so a table may be as large as it likes.
#[test]
fn a_portal_that_is_read_in_portions_passes_and_one_that_is_not_is_refused() {
    let Some(site) = site("portions", "") else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    let open = [raw::parse("s", "SELECT * FROM big"), raw::bind_portal("p", "s", &[])].concat();
    client.send_all(&[open, raw::execute_portal("p", 1000), raw::sync()]);
    let first = client.until(b"Z");
    assert_eq!(rows(&first), 1000);
    assert!(first.iter().any(|message| message.code == b's'), "the portal is suspended");
    client.send_all(&[raw::execute_portal("p", 1000), raw::sync()]);
    assert_eq!(rows(&client.until(b"Z")), 1000);
    client.send_all(&[raw::execute_portal("p", 20_000), raw::sync()]);
    let refused = client.until(b"Z");
    assert_eq!(reply_codes(&refused), "E Z", "a portion may be too large as well");
    assert_refusal(&refused[0], "unbounded_select");
    assert_eq!(refused[1].body, b"E");
    client.query("ROLLBACK");
    client.send_all(&[raw::bind("s", &[]), raw::execute(), raw::sync()]);
    let refused = client.until(b"Z");
    assert_eq!(reply_codes(&refused), "2 E Z");
    assert_refusal(&refused[1], "unbounded_select");
    let by_name = client.query("EXECUTE s");
    assert_refusal(&by_name[0], "unbounded_select");
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

/// Names that nobody has room for hide no statement.
#[test]
fn a_long_name_hides_no_statement() {
    let Some(site) = site("names", "") else { return };
    let mut client = site.raw();
    let long = "n".repeat(9_000);
    client.send_all(&[raw::parse(&long, "SELECT * FROM big"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    client.send_all(&[raw::bind(&long, &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "E Z");
    client.send_all(&[
        raw::parse("", "SELECT * FROM big"),
        raw::bind_portal(&long, "", &[]),
        raw::execute_portal(&long, 0),
        raw::sync(),
    ]);
    let refused = client.until(b"Z");
    assert_eq!(reply_codes(&refused), "1 E Z");
    drop(client);
    site.finish();
}

#[test]
fn a_name_that_nobody_could_use_is_refused_and_the_session_lives() {
    let Some(site) = site("toolong", "") else { return };
    let mut client = site.raw();
    let long = "n".repeat(65_000);
    for named in [
        raw::parse(&long, "SELECT 1"),
        raw::bind(&long, &[]),
        raw::bind_portal(&long, "", &[]),
        raw::describe_statement(&long),
        raw::execute_portal(&long, 0),
        raw::close_statement(&long),
    ] {
        client.send_all(&[named.clone(), raw::sync()]);
        let refused = client.until(b"Z");
        assert_eq!(reply_codes(&refused), "E Z");
        assert_refusal(&refused[0], "protocol");
        client.query("BEGIN");
        client.send_all(&[raw::run("SELECT 1"), named, raw::sync()]);
        let refused = client.until(b"Z");
        assert_eq!(reply_codes(&refused), "1 2 D C E Z");
        assert_refusal(&refused[4], "protocol");
        assert_eq!(refused[5].body, b"E");
        client.query("ROLLBACK");
        assert_eq!(client.rows("SELECT 1"), [["1"]]);
    }
    drop(client);
    site.finish();
}

#[test]
fn statements_of_one_text_count_together() {
    let site = Site::new("together", "");
    let mut client = site.raw();
    client.query("CREATE TABLE t (n int)");
    let inserts = |count: usize| vec!["INSERT INTO t VALUES (1)"; count].join("; ");
    let refused = client.query(&inserts(6_000));
    assert_eq!(reply_codes(&refused), "E Z");
    assert_refusal(&refused[0], "bulk_write");
    assert!(refused[0].summary().contains("6000 rows together"), "{}", refused[0].summary());
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    assert!(sqlstates(&client.query(&inserts(500))).is_empty());
    drop(client);
    site.finish();
}

/// The bar of the project: refused in under 50 ms, and the server takes no memory for it.
#[test]
fn a_bulk_update_of_80_000_arms_is_refused_at_once_and_the_server_does_not_feel_it() {
    /// A build that is not optimized shows only that nothing was sent and planned.
    const PROMPT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10_000 } else { 50 });
    let Some(site) = site("arms", "") else { return };
    let mut client = site.raw();
    let arms: String = (0..80_000).map(|n| format!("WHEN n = {n} THEN 'row {n}' ")).collect();
    let ids: Vec<String> = (0..80_000).map(|n| n.to_string()).collect();
    let sql = format!("UPDATE small SET text = CASE {arms} END WHERE n IN ({})", ids.join(", "));
    let pid: u32 = client.rows("SELECT pg_backend_pid()")[0][0].parse().unwrap();
    let before = resident_kb(pid);
    let best = (0..5).map(|_| refusal_time(&mut client, &sql)).min().unwrap();
    let grown = resident_kb(pid).saturating_sub(before);
    assert!(best < PROMPT, "the best of five took {best:?}");
    assert!(grown < 1024, "the server's process grew by {grown} kB");
    println!("80,000 arms: refused in {best:?}, the server grew by {grown} kB");
    drop(client);
    site.finish();
}

fn refusal_time(client: &mut Raw, sql: &str) -> Duration {
    let message = raw::query(sql);
    let begin = Instant::now();
    client.send(&message);
    let reply = client.until(b"Z");
    let took = begin.elapsed();
    assert_eq!(reply_codes(&reply), "E Z");
    assert_refusal(&reply[0], "bulk_write");
    took
}

/// Resident memory of a process.
pub(crate) fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Values that change no verdict are neither read nor held.
#[test]
fn a_statement_without_values_that_matter_costs_no_second_look() {
    let site = Site::new("plain", "");
    let mut client = site.raw();
    client.send_all(&[raw::parse("s", "SELECT $1::text, $2::int"), raw::sync()]);
    client.until(b"Z");
    let large = vec![b'x'; 8 << 20];
    let reply = run_bound(&mut client, "s", &[(TEXT, Some(&large)), (BINARY, Some(&7_i32.to_be_bytes()))]);
    assert_eq!(reply_codes(&reply), "2 D C Z");
    drop(client);
    site.finish();
}
