//! What sessions leave behind in a server, as the server itself tells it, and how it is given to the next one.

use bytes::BytesMut;
use floodwall::session::state::pins::{Reason, Reasons};
use floodwall::session::state::replay::{Progress, Replay, Replaying, Stain, discard, replay};
use floodwall::session::state::{Decision, Findings, Gathered, Reported, Settings, check};
use floodwall::sql::{Flags, Reading};
use floodwall::wire::Head;
use floodwall::wire::pg::own::{Event, event};
use floodwall::wire::pg::reply::parameter;

use crate::support::cluster::Cluster;
use crate::support::raw::{Message, Raw, VERSION_3_0, startup};

/// A server connection, with the books of the client that has it.
struct Lent {
    raw: Raw,
    reported: Reported,
    gathered: Gathered,
    pinned: Reasons,
    server: Settings,
    client: Settings,
}

impl Lent {
    fn new(cluster: &Cluster, database: &str) -> Self {
        let mut raw = Raw::open(cluster.port);
        raw.send(&startup(VERSION_3_0, &[("user", "postgres"), ("database", database)]));
        let told = raw.until(b"Z");
        let reported = Reported::of(told.iter().filter(|m| m.code == b'S').filter_map(|m| parameter(&frame(m))));
        let (gathered, pinned) = (Gathered::default(), Reasons::NONE);
        Self { raw, reported, gathered, pinned, server: Settings::default(), client: Settings::default() }
    }

    /// A statement of the client.
    fn run(&mut self, sql: &str) -> Vec<Message> {
        let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
        let left = &reading.facts().left;
        self.gathered.add(left, left.given(|_| false), sql.as_bytes());
        self.raw.query(sql)
    }

    /// The transaction is over.
    fn check(&mut self) -> Decision {
        let mut out = BytesMut::new();
        check::question(&self.gathered, self.pinned, &self.client, b"postgres", &mut out);
        self.raw.send(&out);
        let mut findings = Findings::default();
        for message in self.raw.until(b"Z") {
            assert_ne!(message.code, b'E', "{}", message.summary());
            let frame = frame(&message);
            if let Event::Row(columns) = event(head(&frame), &frame) {
                findings.row(columns);
            }
        }
        let decision = findings.decide(&self.gathered, self.pinned, &Settings::default()).unwrap();
        self.gathered.clear();
        (self.pinned, self.server, self.client) = (decision.reasons, decision.server.clone(), decision.client.clone());
        decision
    }

    /// What pins it after these statements.
    fn pins(&mut self, statements: &[&str]) -> String {
        statements.iter().for_each(|sql| drop(self.run(sql)));
        self.check();
        self.pinned.words()
    }

    /// What it has after these statements, as `name=value`.
    fn settings(&mut self, statements: &[&str]) -> Vec<String> {
        assert_eq!(self.pins(statements), "", "{statements:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.server.iter().map(|setting| format!("{}={}", text(&setting.name), text(&setting.value))).collect()
    }

    fn exchange(&mut self, out: &[u8]) -> Progress {
        self.raw.send(out);
        let mut replaying = Replaying::default();
        let mut last = Progress::Going;
        for message in self.raw.until(b"Z") {
            let frame = frame(&message);
            last = replaying.take(event(head(&frame), &frame), &mut self.reported);
        }
        last
    }

    /// Another client gets it.
    fn replay(&mut self, wants: &Settings, stain: Stain) -> Progress {
        let mut out = BytesMut::new();
        match replay(&self.server, wants, stain, &mut out) {
            Replay::NotNeeded => return Progress::Done,
            Replay::Sent => {}
        }
        let progress = self.exchange(&out);
        (self.server, self.client) = (wants.clone(), wants.clone());
        progress
    }

    fn shows(&mut self, name: &str) -> String {
        self.raw.rows(&format!("SELECT pg_catalog.current_setting('{name}', true)"))[0][0].clone()
    }
}

fn frame(message: &Message) -> Vec<u8> {
    crate::support::raw::frame(message.code, &message.body)
}

fn head(frame: &[u8]) -> Head {
    Head { code: frame[0], size: frame.len() as u64 }
}

fn site(label: &str) -> (&'static Cluster, String) {
    let cluster = Cluster::shared();
    (cluster, cluster.create_database(label))
}

#[test]
fn what_stays_in_a_session_pins_it_until_it_is_gone() {
    let (cluster, database) = site("pins");
    cluster.sql(
        &database,
        "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE sly (); \
         PERFORM pg_advisory_lock(7); LISTEN sly; END $$",
    );
    let mut lent = Lent::new(cluster, &database);
    let table: [(&[&str], &str); 33] = [
        (&["CREATE TEMP TABLE x (id int)"], "temp"),
        (&["SELECT 1"], "temp"),
        (&["DROP TABLE x"], ""),
        (&["BEGIN; CREATE TEMP TABLE x (id int) ON COMMIT DROP", "COMMIT"], ""),
        (&["BEGIN; CREATE TEMP TABLE x (id int)", "ROLLBACK"], ""),
        (&["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"], "temp"),
        (&["DISCARD TEMP"], ""),
        (&["SELECT 1 AS a INTO TEMP x"], "temp"),
        (&["DISCARD ALL"], ""),
        (&["SELECT pg_advisory_lock(1)"], "advisory_lock"),
        (&["SELECT pg_advisory_unlock(1)"], ""),
        (&["BEGIN; SELECT pg_advisory_lock(1)", "ROLLBACK"], "advisory_lock"),
        (&["SELECT pg_advisory_unlock_all()"], ""),
        (&["BEGIN; SELECT pg_advisory_xact_lock(1)", "COMMIT"], ""),
        (&["LISTEN a"], "listen"),
        (&["UNLISTEN *"], ""),
        (&["BEGIN; LISTEN a", "ROLLBACK"], ""),
        (&["BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1", "COMMIT"], "cursor"),
        (&["CLOSE c"], ""),
        (&["BEGIN; DECLARE c CURSOR FOR SELECT 1", "COMMIT"], ""),
        (&["PREPARE p AS SELECT 1"], "prepare"),
        (&["EXECUTE p"], "prepare"),
        (&["DEALLOCATE p"], ""),
        (&["SET ROLE app"], "role"),
        (&["RESET ROLE"], ""),
        (&["SET SESSION AUTHORIZATION app"], "role"),
        (&["RESET SESSION AUTHORIZATION"], ""),
        (&["SELECT set_config('role', 'app', false)"], "role"),
        (&["RESET ROLE"], ""),
        (&["SELECT sly()"], "temp, advisory_lock, listen"),
        (&["DISCARD ALL"], ""),
        (
            &["DO $$ BEGIN EXECUTE 'PREPARE p AS SELECT 1'; PERFORM pg_try_advisory_lock(2); END $$"],
            "advisory_lock, prepare",
        ),
        (&["LOAD 'auto_explain'", "DISCARD ALL"], "load"),
    ];
    for (statements, expected) in table {
        let found = if statements == ["SELECT 1"] { lent.pinned.words() } else { lent.pins(statements) };
        assert_eq!(found, expected, "{statements:?}");
    }
    assert!(lent.pinned.has(Reason::Library));
}

#[test]
fn a_role_that_the_login_gives_is_nobodys_doing() {
    let (cluster, database) = site("role");
    cluster.sql(
        &database,
        &format!(
            "ALTER DATABASE {database} SET role = 'app'; ALTER ROLE md5_user IN DATABASE {database} SET role = 'floodwall'"
        ),
    );
    let mut lent = Lent::new(cluster, &database);
    assert_eq!(lent.shows("role"), "app");
    lent.gathered.add_unread();
    for (statement, expected) in [
        ("SELECT 1", ""),
        ("SET ROLE NONE", "role"),
        ("SET ROLE app", ""),
        ("SET ROLE floodwall", "role"),
        ("RESET ROLE", ""),
    ] {
        assert_eq!(lent.pins(&[statement]), expected, "{statement}");
    }
}

#[test]
fn settings_are_told_as_they_are_once_the_transaction_is_over() {
    let (cluster, database) = site("settings");
    cluster.sql(
        &database,
        "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM set_config('statement_timeout', '5s', false); SET hidden.x = 'seen'; END $$",
    );
    let mut lent = Lent::new(cluster, &database);
    let table: [(&[&str], &[&str]); 12] = [
        (&["SET work_mem = '7MB'"], &["work_mem=7168"]),
        (&["BEGIN; SET work_mem = '8MB'", "ROLLBACK"], &["work_mem=7168"]),
        (&["BEGIN; SET work_mem = '8MB'; SAVEPOINT a; RESET work_mem; ROLLBACK TO a", "COMMIT"], &["work_mem=8192"]),
        (&["BEGIN; SET LOCAL work_mem = '9MB'; SET LOCAL a.b = 1", "COMMIT"], &["work_mem=8192"]),
        (&["SET app.tenant = 'it''s'"], &["app.tenant=it's", "work_mem=8192"]),
        (&["RESET work_mem"], &["app.tenant=it's"]),
        (&["SELECT set_config('app.other', 'x', false)"], &["app.other=x", "app.tenant=it's"]),
        (&["SELECT sly()"], &["app.other=x", "app.tenant=it's", "statement_timeout=5000"]),
        (&["RESET ALL"], &[]),
        (&["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"], &["default_transaction_read_only=on"]),
        (
            &["SET search_path = \"Odd, name\", public"],
            &["default_transaction_read_only=on", "search_path=\"Odd, name\", public"],
        ),
        (&["DISCARD ALL"], &[]),
    ];
    for (statements, expected) in table {
        assert_eq!(lent.settings(statements), expected, "{statements:?}");
    }
}

#[test]
fn no_search_path_deceives_the_check() {
    let (cluster, database) = site("deceit");
    cluster.sql(
        &database,
        "CREATE FUNCTION public.pg_my_temp_schema() RETURNS oid LANGUAGE sql AS 'SELECT 0::oid'; \
         CREATE FUNCTION public.never(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false'; \
         CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.never); \
         CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.never); \
         CREATE VIEW public.pg_locks AS SELECT 1 WHERE false; CREATE TABLE public.pg_settings (name text); \
         CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL'",
    );
    let mut lent = Lent::new(cluster, &database);
    let set = "SET search_path = public, pg_catalog";
    assert_eq!(lent.settings(&[set, "SET work_mem = '7MB'"]), ["search_path=public, pg_catalog", "work_mem=7168"]);
    assert_eq!(
        lent.pins(&["CREATE TEMP TABLE x (); SELECT pg_advisory_lock(1); SET ROLE app"]),
        "temp, advisory_lock, role"
    );
    let mut out = BytesMut::new();
    discard(&mut out);
    assert_eq!(lent.exchange(&out), Progress::Done);
    lent.gathered.add_unread();
    assert_eq!(lent.settings(&[]), [""; 0]);
}

#[test]
fn the_next_server_gets_the_settings_of_its_client_whatever_they_hold() {
    let (cluster, database) = site("replay");
    let mut one = Lent::new(cluster, &database);
    let mut two = Lent::new(cluster, &database);
    let statements = [
        "SET work_mem = '7MB'",
        "SET search_path = \"$user\", \"Odd, \"\"name\", public",
        "SET DateStyle = 'SQL, DMY'",
        "SET IntervalStyle = 'iso_8601'",
        "SET TIME ZONE INTERVAL '-05:30' HOUR TO MINUTE",
        "SET application_name = 'it''s \\ a \"name\"; DROP TABLE x'",
        "SET client_min_messages = 'error'",
        "SET statement_timeout = '3min'",
        "SET standard_conforming_strings = off",
        "SET app.tenant = E'\\\\'' OR 1=1 --'",
        "SET lock_timeout = 1500",
        "SET random_page_cost = 1.25",
        "SET enable_seqscan = off",
        "SET bytea_output = 'escape'",
        "SET xmloption = document",
        "SET default_text_search_config = 'pg_catalog.german'",
        "SET client_encoding = 'LATIN1'",
    ];
    let found = one.settings(&statements);
    assert_eq!(found.len(), statements.len(), "{found:?}");
    one.raw.send(&crate::support::raw::frame(b'Q', b"SET app.umlaut = '\xfc'\0"));
    one.raw.until(b"Z");
    assert_eq!(
        one.settings(&["RESET app.umlaut_not", "SET app.umlaut = ''"]).len(),
        statements.len(),
        "an empty one is none"
    );

    let client = one.client.clone();
    assert_eq!(two.replay(&client, Stain::None), Progress::Done);
    two.gathered.add_unread();
    assert_eq!(two.settings(&[]), found);
    assert_eq!(two.reported.value(b"TimeZone"), Some(&b"<-05:30>+05:30"[..]));
    assert_eq!(two.reported.value(b"application_name"), Some(&b"it's \\ a \"name\"; DROP TABLE x"[..]));

    // And they are gone for the next client, while `one` needs nothing to have them again.
    assert_eq!(two.replay(&Settings::default(), Stain::None), Progress::Done);
    two.gathered.add_unread();
    assert_eq!(two.settings(&[]), [""; 0]);
    assert_eq!(two.shows("app.tenant"), "");
    let fresh = Lent::new(cluster, &database).reported;
    assert_eq!(fresh.news(&two.reported).count(), 0, "reported as at the login");
    assert_eq!(one.replay(&client, Stain::None), Progress::Done);
}

#[test]
fn values_in_the_clients_encoding_arrive_as_they_were() {
    let (cluster, database) = site("encoding");
    let mut one = Lent::new(cluster, &database);
    // 0x83 0x5c is one letter: its second byte looks like a backslash.
    let tricky = b"\x83\x5c' \x83\x5c";
    let wants = Settings::new([("client_encoding", &b"SJIS"[..]), ("app.name", tricky)]).unwrap();
    assert_eq!(one.replay(&wants, Stain::None), Progress::Done);
    one.gathered.add_unread();
    one.check();
    assert_eq!(one.client.value(b"app.name"), Some(&tricky[..]));
    one.raw.query("SET client_encoding = 'UTF8'");
    assert_eq!(one.shows("app.name"), "\u{30bd}' \u{30bd}");
}

#[test]
fn what_no_check_sees_is_reset_before_another_client_has_it() {
    let (cluster, database) = site("stain");
    cluster.sql(
        &database,
        "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET hidden.x = 'seen'; END $$",
    );
    let mut lent = Lent::new(cluster, &database);
    lent.run("SELECT sly()");
    assert!(lent.gathered.stains());
    let decision = lent.check();
    assert!(decision.reasons.is_none() && decision.server.is_empty());
    assert_eq!(lent.shows("hidden.x"), "seen");
    assert_eq!(lent.replay(&Settings::default(), Stain::Stained), Progress::Done);
    assert_eq!(lent.shows("hidden.x"), "");
}

#[test]
fn a_replay_that_fails_changes_nothing_and_says_so() {
    let (cluster, database) = site("replay_fails");
    let mut lent = Lent::new(cluster, &database);
    let wants = Settings::new([("application_name", "web"), ("no_such_setting", "1")]).unwrap();
    let Progress::Failed(failure) = lent.replay(&wants, Stain::Stained) else { panic!("it did not fail") };
    assert_eq!(failure.sqlstate, *b"42704");
    assert_eq!(lent.shows("application_name"), "");
    // A client inside a transaction has no business here.
    lent.raw.query("BEGIN");
    assert!(matches!(lent.replay(&Settings::default(), Stain::None), Progress::Failed(_)));
}
