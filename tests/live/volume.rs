//! What streams: statements that are longer than anybody holds, pipelines of writes, and COPY FROM STDIN.

use std::io::Write;

use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, reply_codes, sqlstates};
use crate::support::site::Site;

use super::rules::assert_refusal;
use super::values::resident_kb;

/// The answer comes from the beginning of a statement, and its body goes nowhere.
#[test]
fn a_giant_write_is_refused_before_its_body_is_sent() {
    const BODY: usize = 200 << 20;
    let site = Site::new("giant", "");
    site.direct_sql("CREATE TABLE t (text text)");
    let mut client = site.raw();
    let begin = b"INSERT INTO t VALUES ('";
    let piece = vec![b'z'; 1 << 20];
    let size = u32::try_from(4 + begin.len() + BODY + 3).unwrap();
    client.send(&[&b"Q"[..], &size.to_be_bytes(), begin, &piece].concat());
    let refused = client.message();
    assert_refusal(&refused, "bulk_write");
    assert_eq!(client.message().body, b"I", "the answer is complete while 199 MB are still to come");
    let pid = u32::try_from(site.proxy.pid()).unwrap();
    let before = resident_kb(pid);
    for _ in 1..BODY >> 20 {
        client.send(&piece);
    }
    client.send(b"')\0");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    let grown = resident_kb(pid).saturating_sub(before);
    assert!(grown < 4 << 10, "the proxy grew by {grown} kB");
    drop(client);
    site.finish();
}

/// Inside a transaction the server is made to fail at once, so that it is aborted.
#[test]
fn a_giant_write_in_a_transaction_aborts_it() {
    let site = Site::new("gianttx", "");
    site.direct_sql("CREATE TABLE t (text text)");
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO t VALUES ('first')");
    client.send(&raw::parse("", &format!("INSERT INTO t VALUES ('{}')", "z".repeat(20 << 20))));
    client.send(&raw::sync());
    let reply = client.until(b"Z");
    assert_refusal(&reply[0], "bulk_write");
    assert_eq!(reply.last().unwrap().body, b"E");
    client.query("COMMIT");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_giant_text_that_is_no_write_passes() {
    let site = Site::new("giantread", "");
    let mut client = site.raw();
    let sql = format!("SELECT length('{}')", "z".repeat(20 << 20));
    assert_eq!(client.rows(&sql), [[(20 << 20).to_string()]]);
    drop(client);
    site.finish();
}

fn pipelined(writes: usize) -> Vec<u8> {
    let one = [raw::bind("w", &["5"]), raw::execute()].concat();
    [raw::close_statement("w"), raw::parse("w", "INSERT INTO t VALUES ($1)"), one.repeat(writes), raw::sync()].concat()
}

#[test]
fn a_pipeline_of_too_many_writes_is_warned_of_once() {
    let site = Site::new("pipewarn", "[rules.pipeline_write]\nmax_writes = 10");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    for _ in 0..2 {
        client.send(&pipelined(25));
        assert!(sqlstates(&client.until(b"Z")).is_empty());
    }
    client.send(&pipelined(10));
    client.until(b"Z");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["60"]]);
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["pipeline_write", "warn"]), 2.0);
    drop(client);
    site.finish();
}

#[test]
fn a_pipeline_of_too_many_writes_is_refused_and_rolled_back() {
    let site = Site::new("pipe", "[rules.pipeline_write]\nmode = 'enforce'\nmax_writes = 10");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    client.send(&pipelined(25));
    let reply = client.until(b"Z");
    let errors: Vec<_> = reply.iter().filter(|message| message.code == b'E').collect();
    assert_eq!(errors.len(), 1);
    assert_refusal(errors[0], "pipeline_write");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]], "one pipeline is one transaction");
    client.send(&pipelined(10));
    assert!(sqlstates(&client.until(b"Z")).is_empty());
    // Each Sync begins a new count, also inside a transaction.
    client.query("BEGIN");
    for _ in 0..3 {
        client.send(&pipelined(9));
        assert!(sqlstates(&client.until(b"Z")).is_empty());
    }
    client.query("COMMIT");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["37"]]);
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["pipeline_write", "enforce"]), 1.0);
    drop(client);
    site.finish();
}

const STREAM: &str = "[rules.stream_write]\nmode = 'enforce'\nmax_rows = 1000\nmax_bytes = '1MiB'";

#[test]
fn a_copy_of_too_many_rows_is_ended_and_leaves_nothing() {
    let site = Site::new("stream", STREAM);
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    let copies = [raw::query("COPY t FROM STDIN"), raw::query("COPY t FROM STDIN (FORMAT csv)")];
    let one_each = raw::frame(b'd', b"7\n").repeat(3000);
    let blocks = raw::frame(b'd', &b"7\n".repeat(400)).repeat(30);
    let at_once = raw::frame(b'd', &b"7\n".repeat(3000));
    for data in [one_each, blocks, at_once] {
        for copy in &copies {
            client.send(copy);
            assert_eq!(reply_codes(&client.until(b"G")), "G");
            client.send_all(&[data.clone(), raw::frame(b'c', &[])]);
            let reply = client.until(b"Z");
            assert_eq!(reply_codes(&reply), "E Z");
            assert_refusal(&reply[0], "stream_write");
            assert_eq!(reply[1].body, b"I");
            assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
        }
    }
    client.send(&copies[0]);
    client.until(b"G");
    client.send_all(&[raw::frame(b'd', &b"7\n".repeat(1000)), raw::frame(b'c', &[])]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z", "as many as are allowed pass");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["1000"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_refused_copy_in_a_transaction_aborts_it_in_both_protocols() {
    let site = Site::new("streamtx", STREAM);
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    let data = raw::frame(b'd', &b"7\n".repeat(600)).repeat(4);
    for extended in [false, true] {
        client.query("BEGIN");
        client.query("INSERT INTO t VALUES (1)");
        client.query("SAVEPOINT s");
        if extended {
            client.send_all(&[raw::run("COPY t FROM STDIN"), raw::flush()]);
        } else {
            client.send(&raw::query("COPY t FROM STDIN"));
        }
        client.until(b"G");
        client.send_all(&[data.clone(), raw::frame(b'c', &[])]);
        if extended {
            client.send(&raw::sync());
        }
        let reply = client.until(b"Z");
        assert_refusal(&reply[0], "stream_write");
        assert_eq!(reply[1].body, b"E");
        assert_eq!(sqlstates(&client.query("SELECT 1")), ["25P02"]);
        client.query("ROLLBACK TO s");
        client.query("COMMIT");
    }
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["2"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_copy_of_too_many_bytes_is_ended_while_it_streams() {
    let site = Site::new("streambytes", STREAM);
    site.direct_sql("CREATE TABLE t (text text)");
    let mut client = site.raw();
    client.send(&raw::query("COPY t FROM STDIN"));
    client.until(b"G");
    let block = raw::frame(b'd', &[&[b'x'; 300_000][..], b"\n"].concat());
    for _ in 0..4 {
        client.send(&block);
    }
    // The error comes while the client is still sending; what it sends then is dropped.
    let error = client.message();
    assert_refusal(&error, "stream_write");
    let pid = u32::try_from(site.proxy.pid()).unwrap();
    let before = resident_kb(pid);
    for _ in 0..100 {
        client.send(&block);
    }
    client.send(&raw::frame(b'f', &raw::cstring("enough")));
    assert_eq!(client.message().code, b'Z');
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    assert!(resident_kb(pid).saturating_sub(before) < 4 << 10);
    drop(client);
    site.finish();
}

#[test]
fn psql_reads_the_reason_when_its_copy_is_refused() {
    let site = Site::new("streampsql", STREAM);
    site.sql("CREATE TABLE t (n int)");
    let mut psql = site.psql(&["-c", "\\copy t FROM STDIN CSV"]);
    let mut psql = psql.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // It may leave before it has read everything.
    let _ = psql.stdin.take().unwrap().write_all(&b"12345\n".repeat(50_000));
    let out = psql.wait_with_output().unwrap();
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(told.contains("FLOODWALL[rule=stream_write] COPY FROM STDIN sent more than 1000 rows"), "{told}");
    assert_eq!(site.sql("SELECT count(*) FROM t"), "0");
    site.finish();
}

#[test]
fn a_large_copy_is_warned_of_once_and_passes() {
    let site = Site::new("streamwarn", "[rules.stream_write]\nmax_rows = 1000");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    for _ in 0..2 {
        client.send(&raw::query("COPY t FROM STDIN"));
        client.until(b"G");
        client.send_all(&[raw::frame(b'd', &b"7\n".repeat(700)).repeat(5), raw::frame(b'c', &[])]);
        assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    }
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["7000"]]);
    let warned = || site.proxy.metric("floodwall_rule_verdicts_total", &["stream_write", "warn"]);
    assert!(wait_until(SOON, || warned() >= 2.0));
    assert_eq!(warned(), 2.0);
    drop(client);
    site.finish();
}
