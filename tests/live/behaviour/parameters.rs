//! Settings of a session that has another server each time.

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
    let told = parameters.filter_map(|message| {
        let mut parts = message.body.split(|byte| *byte == 0);
        (parts.next() == Some(name.as_bytes())).then(|| parts.next().map(<[u8]>::to_vec))?
    });
    told.last().map(|value| String::from_utf8(value).unwrap())
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
