//! COPY at servers that are lent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{SOON, cancel, join, one, pid, pool, state};
use crate::pooling::{Pooled, waits};
use crate::support::floodwall::direct;
use crate::support::process::{Scratch, Stop, wait_until};
use crate::support::raw::{self, Raw, frame, query, reply_codes, sqlstates};

/// A pool of one with a table of numbers.
fn scene(label: &str) -> Pooled {
    let pool = pool(label, 1, "");
    pool.site.direct_sql("CREATE TABLE t (n int); GRANT ALL ON t TO app");
    pool
}

/// Begins a COPY to the server.
fn begin(client: &mut Raw) {
    client.send(&query("COPY t FROM STDIN"));
    assert_eq!(reply_codes(&client.until(b"G")), "G");
    client.send(&frame(b'd', b"1\n2\n"));
}

#[test]
fn a_copy_keeps_its_server_to_the_end() {
    if direct() {
        return;
    }
    let pool = scene("bhv_copy");
    let (mut client, mut other) = (join(&pool), join(&pool));
    begin(&mut client);
    other.send(&query("SELECT count(*) FROM t"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    client.send_all(&[frame(b'd', b"3\n"), frame(b'c', &[])]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    let counted = other.until(b"Z");
    assert_eq!(counted[1].columns(), ["3"], "it had to wait for all of it");
    // In the extended protocol, inside a transaction, with statements before and behind it.
    client.rows("BEGIN");
    client.send_all(&[raw::run("COPY t FROM STDIN"), raw::flush()]);
    assert_eq!(reply_codes(&client.until(b"G")), "1 2 G");
    client.send_all(&[frame(b'd', b"4\n"), frame(b'c', &[]), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    assert_eq!(one(&mut client, "SELECT sum(n) FROM t"), "10");
    client.rows("ROLLBACK");
    other.send_all(&[raw::run("COPY t TO STDOUT"), raw::sync()]);
    assert_eq!(reply_codes(&other.until(b"Z")), "1 2 H d d d c C Z");
    assert_eq!(reply_codes(&client.query("COPY t TO STDOUT")), "H d d d c C Z");
    drop((client, other));
    pool.finish();
}

#[test]
fn a_large_copy_goes_through_among_others() {
    if direct() {
        return;
    }
    let pool = pool("bhv_copy_large", 2, "");
    let scratch = Scratch::new("copy");
    let (before, after) = (scratch.path().join("before"), scratch.path().join("after"));
    let lines: String = (0..200_000).map(|n| format!("{n}\tline {n} \\\\ é\n")).collect();
    std::fs::write(&before, &lines).unwrap();
    pool.site.sql("CREATE TABLE large (n int PRIMARY KEY, line text)");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = join(&pool);
            for turn in 0.. {
                assert_eq!(one(&mut other, &format!("SELECT {turn}")), turn.to_string());
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _stop = Stop(&stop);
        pool.site.psql_ok(&["-c", &format!("\\copy large FROM '{}'", before.display())]);
        pool.site.psql_ok(&["-c", &format!("\\copy (SELECT * FROM large ORDER BY n) TO '{}'", after.display())]);
    });
    assert!(std::fs::read_to_string(&after).unwrap() == lines, "the file came back changed");
    pool.finish();
}

#[test]
fn a_copy_that_fails_leaves_a_clean_server() {
    if direct() {
        return;
    }
    let pool = scene("bhv_copy_fails");
    let (mut client, mut other) = (join(&pool), join(&pool));
    let server = pid(&mut other);
    for in_transaction in [false, true] {
        for (how, sqlstate) in [("wrong data", "22P02"), ("broken off", "57014"), ("cancelled", "57014")] {
            if in_transaction {
                client.rows("BEGIN");
            }
            begin(&mut client);
            match how {
                "wrong data" => client.send_all(&[frame(b'd', b"x\n"), frame(b'd', b"3\n"), frame(b'c', &[])]),
                "broken off" => client.send(&frame(b'f', &raw::cstring("enough"))),
                _ => {
                    cancel(&pool, &client.key.clone().unwrap());
                    // The server looks for it when data comes.
                    while client.is_silent(Duration::from_millis(20)) {
                        client.send(&frame(b'd', b"3\n"));
                    }
                }
            }
            let reply = client.until(b"Z");
            let expected = if in_transaction { b'E' } else { b'I' };
            assert_eq!((sqlstates(&reply), state(&reply)), (vec![sqlstate.to_owned()], expected), "{how}");
            if how == "cancelled" {
                // What it sends on belongs to no statement any more.
                client.send_all(&[frame(b'd', b"5\n"), frame(b'c', &[])]);
            }
            if in_transaction {
                client.rows("ROLLBACK");
            }
            assert_eq!(one(&mut client, "SELECT 'still here'"), "still here", "{how}");
            assert_eq!(one(&mut other, "SELECT count(*) FROM t"), "0", "{how}");
            assert_eq!(pid(&mut other), server, "{how}");
        }
    }
    // The other way nothing has to come for it to be seen.
    client.send(&query("COPY (SELECT pg_sleep(0.01), repeat('x', 20000) FROM generate_series(1, 100000)) TO STDOUT"));
    client.until(b"d");
    cancel(&pool, &client.key.clone().unwrap());
    assert_eq!(sqlstates(&client.until(b"Z")), ["57014"]);
    assert_eq!(pid(&mut other), server);
    drop((client, other));
    pool.finish();
}

#[test]
fn who_leaves_in_a_copy_leaves_nothing() {
    if direct() {
        return;
    }
    let pool = scene("bhv_copy_leaves");
    let mut other = join(&pool);
    for _ in 0..2 {
        let mut client = join(&pool);
        begin(&mut client);
        drop(client);
        assert_eq!(one(&mut other, "SELECT count(*) FROM t"), "0");
        let mut client = join(&pool);
        client.send(&query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"));
        client.until(b"d");
        drop(client);
        assert_eq!(one(&mut other, "SELECT 'mine'"), "mine");
    }
    drop(other);
    pool.finish();
}
