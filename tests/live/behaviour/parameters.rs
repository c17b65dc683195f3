//! What a start-up packet asks for, and settings of a session that has another server each time.

use super::{one, pool};
use crate::support::floodwall::direct;
use crate::support::raw::{Message, Raw, VERSION_3_0, startup};

/// What PgBouncer always tracks, what it tracks by its default, and two that it does not: two values of each, as the server tells them.
const SETTINGS: [(&str, &str, &str); 8] = [
    ("client_encoding", "LATIN1", "UTF8"),
    ("DateStyle", "SQL, DMY", "German, DMY"),
    ("TimeZone", "Asia/Tokyo", "America/Lima"),
    ("standard_conforming_strings", "off", "on"),
    ("application_name", "one", "other"),
    ("IntervalStyle", "iso_8601", "sql_standard"),
    ("statement_timeout", "7s", "9s"),
    ("search_path", "one", "other"),
];

/// The last that the server said of a parameter.
fn told(messages: &[Message], name: &str) -> Option<String> {
    let parameters = messages.iter().filter(|message| message.code == b'S');
    let mut told = parameters.filter_map(|message| {
        let mut parts = message.body.split(|byte| *byte == 0);
        (parts.next() == Some(name.as_bytes())).then(|| parts.next().map(<[u8]>::to_vec))?
    });
    told.next_back().map(|value| String::from_utf8(value).unwrap())
}

fn assert_shows(client: &mut Raw, values: &[(&str, &str)]) {
    for (name, value) in values {
        assert_eq!(one(client, &format!("SHOW {name}")), *value, "{name}");
    }
}

#[test]
fn settings_that_are_reported_follow_their_client() {
    if direct() {
        return;
    }
    let pool = pool("bhv_settings", 1, "");
    let (ones, others): (Vec<_>, Vec<_>) = SETTINGS.iter().map(|(name, a, b)| ((*name, *a), (*name, *b))).unzip();
    // One says it all at its start, and is told so before its first statement; the other one says it later.
    let mut by_start = Raw::open(pool.site.proxy.port);
    let mut start = vec![("user", "app"), ("database", pool.site.database.as_str())];
    start.extend(&ones);
    by_start.send(&startup(VERSION_3_0, &start));
    let welcome = by_start.until(b"ZE");
    let mut by_set = super::join(&pool);
    for (name, value) in &ones[..6] {
        assert_eq!(told(&welcome, name).as_deref(), Some(*value), "{name}");
    }
    for (number, (name, value)) in others.iter().enumerate() {
        let reply = by_set.query(&format!("SET {name} = '{value}'").replace("'German, DMY'", "German, DMY"));
        assert!(reply.iter().all(|message| message.code != b'E'), "{name}");
        // A parameter that stays what it was is not told again.
        let news = told(&reply, name);
        assert!(number >= 6 || news.as_deref().is_none_or(|news| news == *value), "{name}: {news:?}");
    }
    for _ in 0..2 {
        assert_shows(&mut by_start, &ones);
        assert_shows(&mut by_set, &others);
    }
    // Inside its transaction nobody changes anything for it.
    by_start.rows("BEGIN");
    assert_shows(&mut by_start, &ones);
    by_start.rows("COMMIT");
    drop((by_start, by_set));
    pool.finish();
}

#[test]
fn replication_has_a_server_of_its_own_beside_the_pool() {
    if direct() {
        return;
    }
    let keys = "[[client]]\nname = 'standby'\nmatch = { user = 'replicator' }\nreplication = true\n";
    let pool = pool("bhv_replication", 1, keys);
    let start = |user: &str| {
        let mut client = Raw::open(pool.site.proxy.port);
        let packet = [("user", user), ("database", pool.site.database.as_str()), ("replication", "database")];
        client.send(&startup(VERSION_3_0, &packet));
        client.finish_login().map(|()| client)
    };
    assert_eq!(start("app").map(drop).unwrap_err().sqlstate(), "28000");
    let mut standby = start("replicator").unwrap();
    let identity = standby.rows("IDENTIFY_SYSTEM");
    assert_eq!((identity.len(), identity[0][3].as_str()), (1, pool.site.database.as_str()));
    assert_eq!(one(&mut super::join(&pool), "SELECT 'of the pool'"), "of the pool");
    assert_eq!(one(&mut standby, "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()"), "1");
    drop(standby);
    pool.finish();
}

#[test]
fn a_database_that_does_not_exist_is_told_in_the_servers_words() {
    if direct() {
        return;
    }
    let pool = pool("bhv_nowhere", 1, "");
    for _ in 0..2 {
        let told = Raw::login(pool.site.proxy.port, "app", "no_such_database").unwrap_err();
        assert!(told.summary().contains("database \"no_such_database\" does not exist"), "{}", told.summary());
        assert_eq!(told.field(b'H'), None);
    }
    // Who looks for the console where PgBouncer has it is told where it is.
    let told = Raw::login(pool.site.proxy.port, "app", "pgbouncer").unwrap_err();
    assert!(told.field(b'H').unwrap().contains("console has a port"), "{}", told.summary());
    assert_eq!(one(&mut super::join(&pool), "SELECT 1"), "1");
    pool.finish();
}

/// As large as PostgreSQL takes them. An empty name is none, and one parameter may be written in several ways.
#[test]
fn start_up_packets_may_be_long_and_odd() {
    if direct() {
        return;
    }
    let pool = pool("bhv_start", 2, "");
    let name = "x".repeat(6_000);
    let begin = |parameters: &[(&str, &str)]| {
        let mut client = Raw::open(pool.site.proxy.port);
        let common = [("user", "app"), ("database", pool.site.database.as_str())];
        client.send(&startup(VERSION_3_0, &[&common, parameters].concat()));
        client.finish_login().map(|()| client)
    };
    let mut long = begin(&[("search_path", &name), ("application_name", "")]).unwrap();
    let options = "-c geqo=off  -cwork_mem=7MB --statement_timeout=7s -c DateStyle=SQL,\\ DMY -c search_path=a\\\\b";
    let mut odd = begin(&[("options", options), ("TIMEZONE", "Asia/Tokyo"), ("extra_float_digits", "2")]).unwrap();
    for _ in 0..2 {
        assert_shows(&mut long, &[("search_path", &name), ("application_name", ""), ("geqo", "on")]);
        let settings = [
            ("geqo", "off"),
            ("work_mem", "7MB"),
            ("statement_timeout", "7s"),
            ("datestyle", "SQL, DMY"),
            ("search_path", "a\\b"),
            ("timezone", "Asia/Tokyo"),
            ("extra_float_digits", "2"),
        ];
        assert_shows(&mut odd, &settings);
    }
    let wrong = begin(&[("no_such_setting", "1")]).map(drop).unwrap_err();
    assert_eq!(wrong.sqlstate(), "42704", "{}", wrong.summary());
    assert_eq!(one(&mut super::join(&pool), "SHOW geqo"), "on");
    drop((long, odd));
    pool.finish();
}
