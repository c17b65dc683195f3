//! Replication connections: passed through for clients that may, refused for everybody else.

use std::process::Command;

use crate::support::cluster::{Cluster, run};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::Scratch;

const MAY: &str = "[[client]]\nname = 'standby'\nmatch = { user = 'replicator' }\nreplication = true";

#[test]
fn a_backup_with_its_log_stream_passes_for_a_client_that_may_replicate() {
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, MAY);
    let scratch = Scratch::new("backup");
    let folder = scratch.path().join("data");
    run(replicator("pg_basebackup", proxy.port).args(["-X", "stream", "-c", "fast", "-D"]).arg(&folder));
    run(Command::new(crate::support::cluster::bin("pg_verifybackup")).arg(&folder));
    proxy.assert_all_zero();
}

#[test]
fn replication_commands_and_sql_pass_on_one_connection() {
    let cluster = Cluster::start(&[("wal_level", "logical")]);
    let proxy = Proxy::start(&cluster, MAY);
    let out = run(&mut psql(proxy.port, "database", "IDENTIFY_SYSTEM"));
    assert!(stdout(&out).ends_with("|app"), "{}", stdout(&out));
    let slot = "CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL test_decoding";
    assert!(stdout(&run(&mut psql(proxy.port, "database", slot))).starts_with("s|"));
    assert_eq!(stdout(&run(&mut psql(proxy.port, "database", "SELECT 5"))), "5");
    assert!(stdout(&run(&mut psql(proxy.port, "on", "IDENTIFY_SYSTEM"))).contains('|'));
    proxy.assert_all_zero();
}

#[test]
fn the_log_streams_until_the_client_has_enough() {
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, MAY);
    let scratch = Scratch::new("wal");
    cluster.sql("postgres", "SELECT pg_create_physical_replication_slot('r', true)");
    cluster.sql("app", "CREATE TABLE t AS SELECT repeat('w', 100) FROM generate_series(1, 50000)");
    let end = cluster.sql("postgres", "SELECT pg_current_wal_lsn()");
    cluster.sql("postgres", "SELECT pg_switch_wal()");
    let mut receive = replicator("pg_receivewal", proxy.port);
    run(receive.args(["--slot=r", "--no-loop", &format!("--endpos={end}"), "-D"]).arg(scratch.path()));
    assert!(std::fs::read_dir(scratch.path()).unwrap().count() >= 1);
    proxy.assert_all_zero();
}

#[test]
fn replication_is_refused_for_a_client_that_may_not() {
    if direct() {
        return;
    }
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, "");
    for mode in ["database", "on", "true", "1", "yes"] {
        let out = psql(proxy.port, mode, "IDENTIFY_SYSTEM").output().unwrap();
        assert!(!out.status.success(), "{mode}");
        assert!(stderr(&out).contains("FLOODWALL[rule="), "{mode}: {}", stderr(&out));
    }
    let out = run(&mut psql(proxy.port, "off", "SELECT 6"));
    assert_eq!(stdout(&out), "6");
    proxy.assert_all_zero();
}

fn replicator(program: &str, port: u16) -> Command {
    pg(program, port, "replicator", "app")
}

fn psql(port: u16, mode: &str, sql: &str) -> Command {
    let mut psql = replicator("psql", port);
    psql.args(["-XAtq", "-c", sql, &format!("dbname=app replication={mode}")]);
    psql
}
