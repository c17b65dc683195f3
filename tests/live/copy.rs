//! COPY in both directions, whole, broken off, and wrong.

use crate::support::cluster::run;
use crate::support::process::Scratch;
use crate::support::raw::{self, reply_codes, sqlstates};
use crate::support::site::Site;

#[test]
fn psql_copies_a_large_file_in_and_out_unchanged() {
    let site = Site::new("copy", "");
    let scratch = Scratch::new("copy");
    let (before, after) = (scratch.path().join("before.csv"), scratch.path().join("after.csv"));
    let rows: String = (0..300_000).map(|n| format!("{n},\"line {n} \\ \"\"quoted\"\" é\",{}\n", n * 7)).collect();
    std::fs::write(&before, &rows).unwrap();
    site.sql("CREATE TABLE t (n int PRIMARY KEY, text text, m int)");
    site.psql_ok(&["-c", &format!("\\copy t FROM '{}' CSV", before.display())]);
    site.psql_ok(&[
        "-c",
        &format!("\\copy (SELECT * FROM t ORDER BY n) TO '{}' CSV FORCE QUOTE text", after.display()),
    ]);
    assert!(std::fs::read_to_string(&after).unwrap() == rows, "the file came back changed");
    site.finish();
}

#[test]
fn binary_copy_passes_unchanged() {
    let site = Site::new("binary", "");
    site.sql("CREATE TABLE a AS SELECT n, md5(n::text) AS text, random() AS r FROM generate_series(1, 50000) AS n");
    site.sql("CREATE TABLE b (LIKE a)");
    let mut out =
        site.psql(&["-c", "COPY a TO STDOUT (FORMAT binary)"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    run(site.psql(&["-c", "COPY b FROM STDIN (FORMAT binary)"]).stdin(out.stdout.take().unwrap()));
    assert!(out.wait().unwrap().success());
    assert_eq!(site.direct_sql("SELECT count(*) FROM (TABLE a EXCEPT TABLE b) AS d"), "0");
    assert_eq!(site.direct_sql("SELECT count(*) FROM b"), "50000");
    site.finish();
}

#[test]
fn the_client_can_break_a_copy_off() {
    let site = Site::new("copyfail", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    client.send(&raw::query("COPY t FROM STDIN"));
    assert_eq!(reply_codes(&client.until(b"G")), "G");
    client.send_all(&[raw::frame(b'd', b"1\n2\n"), raw::frame(b'f', &raw::cstring("changed my mind"))]);
    let reply = client.until(b"Z");
    assert_eq!(sqlstates(&reply), ["57014"]);
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn the_server_can_break_a_copy_off_while_the_client_goes_on_sending() {
    let site = Site::new("copybad", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    client.send(&raw::query("COPY t FROM STDIN"));
    client.until(b"G");
    client.send(&raw::frame(b'd', b"not a number\n"));
    // Data and the end of a COPY that is over already: to be ignored, not to be taken for a new statement.
    for _ in 0..200 {
        client.send(&raw::frame(b'd', &b"3\n".repeat(10_000)));
    }
    client.send(&raw::frame(b'c', &[]));
    let reply = client.until(b"Z");
    assert_eq!(sqlstates(&reply), ["22P02"]);
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn copy_in_the_extended_protocol() {
    let site = Site::new("copyext", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    client.send_all(&[raw::run("COPY t FROM STDIN"), raw::flush()]);
    assert_eq!(reply_codes(&client.until(b"G")), "1 2 G");
    client.send_all(&[
        raw::frame(b'd', b"1\n"),
        raw::frame(b'd', b"2\n3"),
        raw::frame(b'd', b"\n"),
        raw::frame(b'c', &[]),
        raw::sync(),
    ]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    client.send_all(&[raw::run("COPY t TO STDOUT"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 H d d d c C Z");
    drop(client);
    site.finish();
}

#[test]
fn a_sync_sent_before_a_failing_copy_data_is_not_answered_twice() {
    let site = Site::new("copysync", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    // Bind, Execute and Sync in one go, as drivers do: the server ignores this Sync, since it arrives in COPY.
    client.send_all(&[raw::run("COPY t FROM STDIN"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"G")), "1 2 G");
    client.send_all(&[raw::frame(b'd', b"wrong\n"), raw::frame(b'c', &[]), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["22P02"]);
    client.send_all(&[raw::run("SELECT 5"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    drop(client);
    site.finish();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_copy_holds_nothing() {
    let site = Site::new("copyleave", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let mut writer = site.raw();
    writer.send(&raw::query("COPY t FROM STDIN"));
    writer.until(b"G");
    writer.send(&raw::frame(b'd', b"1\n"));
    let mut reader = site.raw();
    reader.send(&raw::query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"));
    reader.until(b"d");
    drop((writer, reader));
    site.proxy.assert_all_zero();
    assert_eq!(site.direct_sql("SELECT count(*) FROM t"), "0");
    site.finish();
}
