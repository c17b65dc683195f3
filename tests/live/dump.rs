//! pg_dump and pg_restore at the default rules: every form, nothing refused, nothing lost.
//!
//! `FLOODWALL_DUMP_MB` sets the size of the database (64 unless given).

use std::path::Path;
use std::process::Command;

use crate::support::cluster::{Cluster, run};
use crate::support::command::pg_within;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::Scratch;

/// Seconds: a dump of the largest size takes minutes.
const PATIENCE: u32 = 1_800;

#[test]
fn a_dump_restores_to_the_same_database_in_every_form() {
    let cluster = Cluster::start(&[("max_wal_size", "4GB"), ("maintenance_work_mem", "128MB")]);
    let proxy = Proxy::start(&cluster, "");
    let megabytes = std::env::var("FLOODWALL_DUMP_MB").map_or(64, |text| text.parse().unwrap());
    cluster.sql("app", &content(megabytes));
    let expected = fingerprint(&cluster, "app");
    let scratch = Scratch::new("dump");
    for (form, jobs) in [("custom", "1"), ("directory", "2")] {
        let file = scratch.path().join(form);
        run(tool("pg_dump", &proxy, "app").args(["-F", form, "-j", jobs, "-f"]).arg(&file));
        cluster.sql("postgres", &format!("CREATE DATABASE {form}"));
        run(tool("pg_restore", &proxy, form).args(["-j", "2", "-d", form]).arg(&file));
        assert_eq!(fingerprint(&cluster, form), expected, "{form}");
        cluster.sql("postgres", &format!("DROP DATABASE {form}"));
    }
    plain(&cluster, &proxy, scratch.path(), &expected);
    if !direct() {
        assert_eq!(proxy.metric("floodwall_refusals_total", &[]), 0.0, "{}", proxy.log());
    }
    proxy.assert_all_zero();
}

/// A text dump with INSERT statements (of the smaller tables) and one with COPY, both run by psql.
fn plain(cluster: &Cluster, proxy: &Proxy, folder: &Path, expected: &str) {
    let file = folder.join("plain.sql");
    run(tool("pg_dump", proxy, "app").args(["--create", "--clean", "--if-exists", "-f"]).arg(&file));
    cluster.sql("postgres", "ALTER DATABASE app RENAME TO before");
    let script = std::fs::read_to_string(&file).unwrap().replace("DROP DATABASE IF EXISTS app;", "");
    std::fs::write(&file, script).unwrap();
    run(tool("psql", proxy, "postgres").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(&file));
    assert_eq!(fingerprint(cluster, "app"), expected, "plain");
    let inserts = folder.join("inserts.sql");
    let rows = ["--data-only", "--rows-per-insert=1000", "-t", "orders"];
    run(tool("pg_dump", proxy, "before").args(rows).arg("-f").arg(&inserts));
    cluster.sql("app", "TRUNCATE orders");
    run(tool("psql", proxy, "app").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(&inserts));
    assert_eq!(fingerprint(cluster, "app"), expected, "inserts");
}

fn tool(name: &str, proxy: &Proxy, database: &str) -> Command {
    pg_within(PATIENCE, name, proxy.port, ("postgres", database))
}

/// Row counts and a hash of every row of every table, and of what stands beside the tables.
fn fingerprint(cluster: &Cluster, database: &str) -> String {
    cluster.sql(
        database,
        "SELECT count(*), sum(hashtext(p::text)::bigint) FROM payload p;
         SELECT count(*), sum(hashtext(o::text)::bigint) FROM orders o;
         SELECT count(*), sum(hashtext(e::text)::bigint) FROM events e;
         SELECT count(*), sum(hashtext(encode(data, 'hex'))::bigint) FROM pg_largeobject;
         SELECT count(*), string_agg(relname || relkind::text, ' ' ORDER BY relname) FROM pg_class
           WHERE relnamespace = 'public'::regnamespace;
         SELECT count(*) FROM totals; SELECT last_value FROM orders_id_seq; SELECT double(21)",
    )
}

/// Tables of about `megabytes` in all, and one of each kind of object that dumps stumble over.
fn content(megabytes: u64) -> String {
    let rows = megabytes * 1024;
    format!(
        "CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE TABLE payload (id bigint PRIMARY KEY, body text NOT NULL);
         ALTER TABLE payload ALTER body SET STORAGE plain;
         INSERT INTO payload SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, {rows}) AS n;
         CREATE TABLE orders (id serial PRIMARY KEY, mood mood, tags text[], data jsonb, at timestamptz DEFAULT '2020-01-01');
         INSERT INTO orders (mood, tags, data) SELECT 'glad', ARRAY['a', E'tab\\there', NULL], '{{\"k\": [1, null]}}' FROM generate_series(1, 20000);
         CREATE TABLE events (at date, note text) PARTITION BY RANGE (at);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         CREATE TABLE events_2 PARTITION OF events DEFAULT;
         INSERT INTO events SELECT date '2020-06-01' + n % 400, 'line' || chr(10) || n FROM generate_series(1, 20000) AS n;
         CREATE INDEX ON orders USING gin (data); CREATE INDEX ON events (at);
         CREATE VIEW totals AS SELECT mood, count(*) FROM orders GROUP BY mood;
         CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
         CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
         SELECT lo_from_bytea(n, decode(repeat(md5(n::text), 500), 'hex')) FROM generate_series(100001, 100050) AS n;
         COMMENT ON TABLE orders IS 'it''s; a comment -- with everything';
         ANALYZE"
    )
}
