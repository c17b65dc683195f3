//! What PostgreSQL 17 and 18 and their programs bring. What needs such a server is skipped, aloud, where the tests run on an older one
//! (`PG_BIN` says where another one's programs are).

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::pooling::Pooled;
use crate::support::cluster::{bin, major, run};
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{self, Raw, VERSION_3_0, codes, sqlstates, startup};
use crate::support::site::Site;

/// For clients that write their messages themselves.
const NO_PASSWORD: &str = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";

/// libpq 18 that accepts nothing older.
const INSISTS: [(&str, &str); 2] = [("PGMINPROTOCOLVERSION", "3.2"), ("PGMAXPROTOCOLVERSION", "3.2")];

/// How many statements of the test's database sleep.
const SLEEPS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

/// True where the server is too old for a test.
fn older_than(version: u32) -> bool {
    let older = major() < version;
    if older {
        eprintln!("skipped: this needs PostgreSQL {version} (PG_BIN=…, see tests/support/newer-postgres)");
    }
    older
}

fn login_with(port: u16, database: &str, minor: u32) -> Raw {
    let mut client = Raw::open(port);
    client.send(&startup(VERSION_3_0 + minor, &[("user", "app"), ("database", database)]));
    client.finish_login().unwrap();
    client
}

/// Stops the client's own statement by its key; a key that only begins like it stops nothing.
fn cancels_by_its_key(site: &Site, client: &mut Raw) {
    let (pid, secret) = client.key.clone().unwrap();
    client.send(&raw::query("SELECT pg_sleep(30)"));
    assert!(wait_until(SOON, || site.direct_sql(SLEEPS) == "1"));
    let cancel = |secret: &[u8]| raw::cancel(site.proxy.port, pid, secret);
    if secret.len() > 4 {
        cancel(&secret[..4]);
        assert!(client.is_silent(Duration::from_millis(300)), "the beginning of a secret is none");
    }
    cancel(&secret);
    assert_eq!(sqlstates(&client.until(b"Z")), ["57014"]);
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
}

#[test]
fn who_asks_for_protocol_3_2_is_given_a_long_key_that_cancels() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("newer_keys", 1, NO_PASSWORD);
    for (minor, bytes) in [(0, 4), (2, 32), (9999, 32)] {
        let mut client = login_with(pooled.site.proxy.port, &pooled.site.database, minor);
        assert_eq!(client.key.as_ref().unwrap().1.len(), bytes, "3.{minor}");
        cancels_by_its_key(&pooled.site, &mut client);
    }
    pooled.finish();
}

#[test]
fn only_what_is_newer_than_3_2_is_negotiated() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("newer_negotiated", 1, NO_PASSWORD);
    let answer = |minor: u32, option: &str| {
        let mut client = Raw::open(pooled.site.proxy.port);
        let mut parameters = vec![("user", "app"), ("database", &pooled.site.database)];
        parameters.extend((!option.is_empty()).then_some((option, "1")));
        client.send(&startup(VERSION_3_0 + minor, &parameters));
        let login = client.until(b"ZE");
        let body = login.iter().find(|message| message.code == b'v').map(|message| message.body.clone());
        (codes(&login).ends_with('Z'), body)
    };
    let told = |minor: u32, names: &[u8], count: u8| {
        Some([&(VERSION_3_0 + minor).to_be_bytes()[..], &[0, 0, 0, count], names].concat())
    };
    assert_eq!(answer(0, ""), (true, None));
    assert_eq!(answer(2, ""), (true, None));
    assert_eq!(answer(3, ""), (true, told(2, b"", 0)));
    assert_eq!(answer(1, ""), (true, told(0, b"", 0)));
    assert_eq!(answer(2, "_pq_.test"), (true, told(2, b"_pq_.test\0", 1)));
    assert_eq!(answer(0, "_pq_.test"), (true, told(0, b"_pq_.test\0", 1)));
    pooled.finish();
}

#[test]
fn a_session_of_its_own_has_a_long_key_too() {
    if direct() {
        return;
    }
    let folder = Scratch::new("users");
    let file = folder.path().join("users.toml");
    std::fs::write(&file, "[[user]]\nname = 'app'\npassword = 'app-secret'\n").unwrap();
    let overrides = format!("[[listener]]\nlogin = 'users'\nusers_file = '{}'\n{NO_PASSWORD}", file.display());
    let site = Site::new("newer_own", &overrides);
    for (minor, bytes) in [(0, 4), (2, 32)] {
        let mut client = login_with(site.proxy.port, &site.database, minor);
        assert_eq!(client.key.as_ref().unwrap().1.len(), bytes, "3.{minor}");
        cancels_by_its_key(&site, &mut client);
    }
    site.finish();
}

#[test]
fn where_logins_are_relayed_key_and_version_are_the_servers() {
    let site = Site::new("newer_relayed", "");
    let bytes = if major() >= 18 { 32 } else { 4 };
    let mut client = Raw::open(site.proxy.port);
    client.send(&startup(VERSION_3_0 + 2, &[("user", "postgres"), ("database", &site.database)]));
    client.finish_login().unwrap();
    assert_eq!(client.key.as_ref().unwrap().1.len(), bytes);
    cancels_by_its_key(&site, &mut client);
    drop(client);
    site.finish();
}

/// Lines of what psql prints of a script, errors among them.
fn printed(site: &Site, port: u16, script: &str, envs: &[(&str, &str)]) -> String {
    let scratch = Scratch::new("script");
    let file = scratch.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let mut psql = site.program("psql");
    psql.env("PGPORT", port.to_string()).envs(envs.iter().copied());
    let out = psql.args(["-XAt", "-v", "VERBOSITY=sqlstate", "-f"]).arg(&file).output().unwrap();
    let name = file.display().to_string();
    format!("{}\n--\n{}", stdout(&out), stderr(&out).replace(&name, "script"))
}

/// The pipelines of psql 18, in the ways in which its own regression test uses them.
const PIPELINES: &str = include_str!("pipelines.psql");

#[test]
fn psqls_pipelines_end_as_they_do_directly() {
    if direct() || older_than(18) {
        return;
    }
    for size in [1, 3] {
        let pooled = Pooled::new("newer_pipelines", size, "");
        let site = &pooled.site;
        let directly = printed(site, site.cluster.port, PIPELINES, &[]);
        assert!(directly.contains("the end") && directly.contains("2,4"), "{directly}");
        for envs in [&[][..], &INSISTS] {
            assert_eq!(printed(site, site.proxy.port, PIPELINES, envs), directly, "{size} servers, {envs:?}");
        }
        pooled.finish();
    }
    let site = Site::new("newer_pipelines", "");
    let directly = printed(&site, site.cluster.port, PIPELINES, &[]);
    assert_eq!(printed(&site, site.proxy.port, PIPELINES, &INSISTS), directly);
    site.finish();
}

#[test]
fn libpq_that_insists_on_3_2_gets_in_and_psql_interrupts_by_its_key() {
    if direct() || older_than(18) {
        return;
    }
    let pooled = Pooled::new("newer_libpq", 1, "");
    let relayed = Site::new("newer_libpq", "");
    for site in [&pooled.site, &relayed] {
        let shown = printed(site, site.proxy.port, "\\conninfo\nSELECT 'in';\n", &INSISTS);
        assert!(shown.contains("Protocol Version|3.2") && shown.contains("in"), "{shown}");
        let mut psql = Command::new(bin("psql"));
        psql.envs(site.program("psql").get_envs().filter_map(|(name, value)| Some((name, value?)))).envs(INSISTS);
        let psql = psql.args(["-XAtq", "-c", "SELECT pg_sleep(30)"]).stderr(Stdio::piped()).spawn().unwrap();
        assert!(wait_until(SOON, || site.direct_sql(SLEEPS) == "1"));
        kill_process(Pid::from_child(&psql), Signal::INT).unwrap();
        let out = psql.wait_with_output().unwrap();
        assert!(stderr(&out).contains("canceling statement due to user request"), "{out:?}");
    }
    relayed.finish();
    pooled.finish();
}

/// From 18 on the server reports what the path is.
#[test]
fn a_search_path_is_reported_to_the_client_that_set_it_alone() {
    if direct() || older_than(18) {
        return;
    }
    let pooled = Pooled::new("newer_path", 1, NO_PASSWORD);
    let login = || login_with(pooled.site.proxy.port, &pooled.site.database, 0);
    let (mut one, mut other) = (login(), login());
    let paths = |messages: &[raw::Message]| -> Vec<String> {
        let bodies = messages.iter().filter(|message| message.code == b'S').map(|message| &message.body);
        let texts = bodies.map(|body| String::from_utf8_lossy(body).trim_end_matches('\0').replace('\0', "="));
        texts.filter(|text| text.starts_with("search_path=")).collect()
    };
    assert_eq!(paths(&one.query("SET search_path = pg_catalog")), ["search_path=pg_catalog"]);
    // Both on the one server, in turns: neither hears of the other's.
    for _ in 0..3 {
        assert_eq!(other.rows("SHOW search_path"), [["\"$user\", public"]]);
        assert_eq!(paths(&other.query("SELECT 1")), [""; 0]);
        assert_eq!(one.rows("SHOW search_path"), [["pg_catalog"]]);
        assert_eq!(paths(&one.query("SELECT 1")), [""; 0]);
    }
    assert_eq!(paths(&one.query("RESET search_path")), ["search_path=\"$user\", public"]);
    drop((one, other));
    pooled.finish();
}

/// From 17 on.
#[test]
fn a_transaction_that_the_server_ends_takes_its_session_along_and_no_other() {
    if direct() || older_than(17) {
        return;
    }
    let pooled = Pooled::new("newer_timeout", 1, NO_PASSWORD);
    let login = || login_with(pooled.site.proxy.port, &pooled.site.database, 0);
    let (mut one, mut other) = (login(), login());
    one.query("SET transaction_timeout = '300ms'");
    assert_eq!(other.rows("SHOW transaction_timeout"), [["0"]]);
    one.query("BEGIN");
    one.send(&raw::query("SELECT pg_sleep(30)"));
    assert_eq!(sqlstates(&one.until(b"E")), ["25P04"]);
    assert_eq!(other.rows("SELECT 1"), [["1"]]);
    // Outside of a transaction block a statement is a transaction too.
    let mut again = login();
    again.query("SET transaction_timeout = '300ms'");
    again.send(&raw::query("SELECT pg_sleep(30)"));
    assert_eq!(sqlstates(&again.until(b"E")), ["25P04"]);
    assert_eq!(other.rows("SELECT 2"), [["2"]]);
    drop((one, other, again));
    pooled.finish();
}

/// What its own pg_dump reads and pg_restore writes again: the new kinds of columns and constraints.
#[test]
fn new_kinds_of_tables_are_dumped_and_restored() {
    if direct() || older_than(18) {
        return;
    }
    let site = Site::new("newer_dump", "");
    site.sql(
        "CREATE TABLE kinds (id int4range, during int4range, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, \
         CONSTRAINT apart PRIMARY KEY (id, during WITHOUT OVERLAPS), CONSTRAINT open CHECK (a > 0) NOT ENFORCED)",
    );
    site.sql("ALTER TABLE kinds ADD CONSTRAINT filled NOT NULL a NOT VALID");
    site.sql(
        "CREATE TABLE parts (id int4range, during int4range, \
         FOREIGN KEY (id, PERIOD during) REFERENCES kinds (id, PERIOD during))",
    );
    site.sql("INSERT INTO kinds (id, during, a) VALUES ('[1,2)', '[1,5)', 3) RETURNING old.a, new.b");
    let scratch = Scratch::new("dump");
    let file = scratch.path().join("dump");
    run(site.program("pg_dump").args(["-F", "c", "-f"]).arg(&file));
    site.psql_ok(&["-c", "DROP TABLE parts, kinds"]);
    run(site.program("pg_restore").args(["--exit-on-error", "-d", &site.database]).arg(&file));
    assert_eq!(site.sql("SELECT a, b FROM kinds WHERE id = '[1,2)'"), "3|6");
    site.finish();
}
