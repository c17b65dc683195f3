//! The three rules at their defaults, in front of a real table of 400,000 rows.

use crate::support::command::stderr;
use crate::support::floodwall::direct;
use crate::support::process::Promptness;
use crate::support::raw::{self, Message, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

/// A refusal that will never pass, however often it is tried.
const NEVER: &str = "54000";

#[test]
fn reading_a_large_table_without_bound_is_refused_and_the_session_lives_on() {
    let Some(site) = site("select", "") else { return };
    let mut client = site.raw();
    let simple = client.query("SELECT * FROM big");
    assert_eq!(reply_codes(&simple), "E Z");
    assert_refusal(&simple[0], "unbounded_select");
    assert_eq!(simple[1].body, b"I");
    client.send_all(&[raw::run("SELECT * FROM big"), raw::sync()]);
    let extended = client.until(b"Z");
    assert_eq!(reply_codes(&extended), "1 2 E Z", "how much is fetched is not known before Execute");
    assert_refusal(&extended[2], "unbounded_select");
    assert_eq!(client.rows("SELECT count(*) FROM big"), [["400000"]]);
    let out = site.psql(&["-c", "SELECT * FROM big"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("FLOODWALL[rule=unbounded_select]"), "{}", stderr(&out));
    drop(client);
    site.finish();
}

#[test]
fn every_way_to_read_a_large_table_whole_is_refused() {
    let Some(site) = site("evasion", "") else { return };
    let mut client = site.raw();
    let texts = [
        "select * from big",
        "SELECT * FROM public.big",
        "SELECT n FROM \"big\"",
        "SELECT/**/*/**/FROM/* LIMIT 1 */big -- LIMIT 1",
        "SELECT * FROM big WHERE true",
        "SELECT * FROM big WHERE 1 = 1",
        "SELECT * FROM big ORDER BY n",
        "SELECT * FROM big LIMIT 999999999",
        "SELECT * FROM big LIMIT ALL",
        "SELECT * FROM big b, small s",
        "(SELECT * FROM big)",
        "WITH w AS (SELECT * FROM big) SELECT * FROM w",
        "SELECT * FROM (SELECT * FROM big) AS inner_one",
        "SELECT * FROM small UNION ALL SELECT n, text FROM big",
        "TABLE big",
        "SELECT 1; SELECT * FROM big",
    ];
    for sql in texts {
        let reply = client.query(sql);
        assert_eq!(reply_codes(&reply), "E Z", "{sql}");
        assert_refusal(&reply[0], "unbounded_select");
    }
    drop(client);
    site.finish();
}

#[test]
fn bounded_and_filtered_reading_is_left_alone() {
    let Some(site) = site("bounded", "") else { return };
    let mut client = site.raw();
    let texts = [
        "SELECT * FROM big LIMIT 10",
        "SELECT * FROM big ORDER BY n LIMIT 10000 OFFSET 50",
        "SELECT * FROM big FETCH FIRST 5 ROWS ONLY",
        "SELECT * FROM big WHERE n = 17",
        "SELECT * FROM big WHERE n IN (1, 2, 3)",
        "SELECT count(*), max(n) FROM big",
        "SELECT EXISTS (SELECT * FROM big)",
        "SELECT * FROM small",
        "SELECT * FROM small WHERE n IN (SELECT n FROM big WHERE n < 5)",
        "SELECT * FROM pg_class",
        "EXPLAIN SELECT * FROM big",
        "CREATE TEMP TABLE copy_of_it AS SELECT * FROM big",
        "SELECT 1",
        "SHOW ALL",
    ];
    for sql in texts {
        let reply = client.query(sql);
        assert!(sqlstates(&reply).is_empty(), "{sql}: {}", reply[0].summary());
    }
    let reply = client.query("COPY big TO STDOUT");
    assert!(sqlstates(&reply).is_empty());
    drop(client);
    site.finish();
}

#[test]
fn writes_without_a_filter_are_refused_and_change_nothing() {
    let Some(site) = site("unfiltered", "") else { return };
    let mut client = site.raw();
    let texts = [
        "DELETE FROM small",
        "delete from public.small where true",
        "DELETE FROM small WHERE 1 = 1",
        "UPDATE small SET text = 'gone'",
        "UPDATE small SET text = 'gone' WHERE 1=1 OR n = 3",
        "/* nightly */ UPDATE small AS s SET text = 'gone'",
        "WITH d AS (DELETE FROM small RETURNING n) SELECT count(*) FROM d",
    ];
    for sql in texts {
        let reply = client.query(sql);
        assert_eq!(reply_codes(&reply), "E Z", "{sql}");
        assert_refusal(&reply[0], "unfiltered_write");
    }
    assert_eq!(client.rows("SELECT count(*), count(*) FILTER (WHERE text = 'gone') FROM small"), [["100", "0"]]);
    assert_eq!(reply_codes(&client.query("DELETE FROM small WHERE n = 1")), "C Z");
    assert_eq!(reply_codes(&client.query("UPDATE small SET text = 'x' WHERE n < 5")), "C Z");
    drop(client);
    site.finish();
}

#[test]
fn writes_of_too_many_rows_are_refused() {
    let Some(site) = site("bulk", "") else { return };
    let mut client = site.raw();
    client.query("CREATE TABLE t (n int, text text)");
    let insert = |rows: usize| format!("INSERT INTO t VALUES {}", vec!["(1, 'x')"; rows].join(", "));
    assert_eq!(reply_codes(&client.query(&insert(5_000))), "C Z");
    let reply = client.query(&insert(5_001));
    assert_refusal(&reply[0], "bulk_write");
    assert!(reply[0].summary().contains("5001"), "{}", reply[0].summary());
    client.send_all(&[raw::run(&insert(5_001)), raw::sync()]);
    assert_refusal(&client.until(b"Z")[0], "bulk_write");
    let ids: Vec<String> = (0..5_001).map(|n| n.to_string()).collect();
    let reply = client.query(&format!("UPDATE t SET text = 'y' WHERE n IN ({})", ids.join(",")));
    assert_refusal(&reply[0], "bulk_write");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["5000"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_text_beyond_the_size_limit_is_refused_in_both_protocols() {
    let Some(site) = site("size", "") else { return };
    let mut client = site.raw();
    client.query("CREATE TABLE t (text text)");
    let insert = format!("INSERT INTO t VALUES ('{}')", "z".repeat(17 << 20));
    assert_refusal(&client.query(&insert)[0], "bulk_write");
    client.send_all(&[raw::run(&insert), raw::sync()]);
    assert_refusal(&client.until(b"Z")[0], "bulk_write");
    assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn all_statements_of_a_text_are_judged_before_any_runs() {
    let Some(site) = site("multi", "") else { return };
    let mut client = site.raw();
    client.query("CREATE TABLE t (n int)");
    for sql in [
        "INSERT INTO t VALUES (1); DELETE FROM small",
        "BEGIN; INSERT INTO t VALUES (2); DELETE FROM small; COMMIT",
        "INSERT INTO t VALUES (3); COMMIT; SELECT * FROM big",
    ] {
        let reply = client.query(sql);
        assert_eq!(reply_codes(&reply), "E Z", "{sql}");
        assert_eq!(reply[1].body, b"I", "{sql}");
        assert_eq!(client.rows("SELECT count(*) FROM t"), [["0"]], "{sql}");
    }
    drop(client);
    site.finish();
}

#[test]
fn a_refused_statement_was_never_prepared() {
    let Some(site) = site("prepared", "") else { return };
    let mut client = site.raw();
    client.send_all(&[raw::parse("s", "DELETE FROM big"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "E Z");
    client.send_all(&[raw::bind("s", &[]), raw::execute(), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["26000"]);
    client.send_all(&[raw::parse("s", "SELECT * FROM big LIMIT 3"), raw::bind("s", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D D D C Z");
    drop(client);
    site.finish();
}

#[test]
fn warn_lets_through_counts_and_can_tell_the_client() {
    let Some(site) = lenient_site("warn", "[rules]\nmode = 'warn'\nnotice = true") else { return };
    let mut client = site.raw();
    let reply = client.query("DELETE FROM small");
    assert_eq!(reply_codes(&reply), "C Z");
    let notice = reply.iter().find(|message| message.code == b'N').expect("a notice");
    assert!(notice.field(b'M').unwrap().contains("FLOODWALL[rule=unfiltered_write]"));
    assert_eq!(client.rows("SELECT count(*) FROM small"), [["0"]]);
    let counted = site.proxy.metric("floodwall_rule_verdicts_total", &["unfiltered_write", "warn"]);
    assert_eq!(counted, 1.0);
    assert_eq!(site.proxy.metric("floodwall_refusals_total", &[]), 0.0);
    drop(client);
    site.finish();
}

#[test]
fn off_is_off() {
    let Some(site) = lenient_site("off", "[rules]\nmode = 'off'") else { return };
    let mut client = site.raw();
    let reply = client.query("DELETE FROM small");
    assert_eq!(reply_codes(&reply), "C Z");
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &[]), 0.0);
    drop(client);
    site.finish();
}

#[test]
fn a_client_can_have_its_own_rules() {
    let overrides =
        "[[client]]\nname = 'nightly'\nmatch = { user = 'trusted' }\nrules = { unfiltered_write = { mode = 'off' } }";
    let Some(site) = site("override", overrides) else { return };
    site.direct_sql("GRANT ALL ON small, big TO trusted");
    let mut nightly = Raw::login(site.proxy.port, "trusted", &site.database).unwrap();
    assert_eq!(reply_codes(&nightly.query("DELETE FROM small")), "C Z");
    assert_refusal(&nightly.query("SELECT * FROM big")[0], "unbounded_select");
    let mut other = site.raw();
    assert_refusal(&other.query("DELETE FROM small")[0], "unfiltered_write");
    drop((nightly, other));
    site.finish();
}

#[test]
fn a_client_cannot_lift_a_rule() {
    let overrides =
        "[[client]]\nname = 'nightly'\nmatch = { user = 'trusted' }\nrules = { unfiltered_write = { mode = 'off' } }";
    let Some(site) = site("lift", overrides) else { return };
    let mut client = site.raw();
    client.query("SET ROLE trusted");
    assert_refusal(&client.query("/* floodwall: off */ DELETE FROM small")[0], "unfiltered_write");
    client.query("RESET ROLE; SET SESSION AUTHORIZATION trusted");
    assert_refusal(&client.query("DELETE FROM small")[0], "unfiltered_write");
    // A lexer that is wrong about backslashes would take the DELETE for a part of the text, or the reverse.
    client.query("RESET SESSION AUTHORIZATION; SET standard_conforming_strings = off; SET backslash_quote = on");
    assert_refusal(&client.query("SELECT 'a\\'; DELETE FROM small --'; DELETE FROM small")[0], "unfiltered_write");
    client.query("SET standard_conforming_strings = on");
    assert_refusal(&client.query("SELECT 'a\\'; DELETE FROM small --'")[0], "unfiltered_write");
    assert_eq!(client.rows("SELECT count(*) FROM small"), [["100"]]);
    drop(client);
    site.finish();
}

#[test]
fn refusals_are_answered_promptly() {
    let Some(site) = site("prompt", "") else { return };
    let (mut client, mut other) = (site.raw(), site.raw());
    let simple = raw::query("DELETE FROM small");
    let extended = [raw::run("DELETE FROM small"), raw::sync()].concat();
    for message in [simple, extended] {
        let mut prompt = Promptness::default();
        for _ in 0..100 {
            let refused = || {
                client.send(&message);
                assert_eq!(reply_codes(&client.until(b"Z")), "E Z");
            };
            prompt.measure(|| other.rows("SELECT 1"), refused);
        }
        prompt.assert();
    }
    drop((client, other));
    site.finish();
}

/// Where a string ends depends on settings that the server reports only when it has carried them out.
#[test]
fn a_setting_on_its_way_hides_no_statement() {
    let Some(site) = lenient_site("settings", "") else { return };
    let strings = b"SELECT '\\'' ; DELETE FROM small; --'";
    let pairs = b"SELECT E'\x81\\' ; DELETE FROM small; --'";
    let tag = b"SELECT $\x81\\$ ' $\x81\\$; DELETE FROM small; --'";
    for (setting, text) in [
        ("SET standard_conforming_strings = off", &strings[..]),
        ("SELECT set_config('standard_conforming_strings', 'off', false)", strings),
        ("SET client_encoding = 'GBK'", pairs),
        ("SET client_encoding = 'GBK'", tag),
        ("SET client_encoding = 'SJIS'", pairs),
    ] {
        let hidden = raw::frame(b'Q', &[text, b"\0"].concat());
        let mut client = site.raw();
        client.send_all(&[raw::query(setting), hidden.clone()]);
        let set = client.until(b"Z");
        assert!(!reply_codes(&set).contains('E'), "{setting}: {}", set[0].summary());
        let refused = client.until(b"Z");
        assert!(
            refused.iter().any(|message| message.code == b'E'),
            "{setting}, sent together: {}",
            reply_codes(&refused)
        );
        client.send(&hidden);
        let refused = client.until(b"Z");
        assert_refusal(&refused[0], "unfiltered_write");
        assert_eq!(client.rows("SELECT count(*) FROM small"), [["100"]], "{setting}");
    }
    site.finish();
}

/// What looks like such a text and is none passes, also in a pipeline.
#[test]
fn backslashes_and_other_encodings_pass() {
    let Some(site) = lenient_site("backslashes", "") else { return };
    let mut client = site.raw();
    for setting in ["SELECT 1", "SET standard_conforming_strings = off", "SET client_encoding = 'LATIN1'"] {
        client.send_all(&[raw::query(setting), raw::query("SELECT 'C:\\x', E'it\\'s'")]);
        for _ in 0..2 {
            let reply = client.until(b"Z");
            assert!(
                !reply_codes(&reply).contains('E'),
                "{setting}: {:?}",
                reply.iter().map(Message::summary).collect::<Vec<_>>()
            );
        }
    }
    drop(client);
    site.finish();
}

/// A site whose database holds `big` (400,000 rows) and `small` (100 rows), with a proxy that knows both sizes.
/// None where there is no proxy to test.
pub(crate) fn site(label: &str, overrides: &str) -> Option<Site> {
    if direct() {
        return None;
    }
    let site = prepared(label, overrides);
    assert!(site.knows_its_tables("big"), "the catalogue never learnt of the table:\n{}", site.proxy.log());
    Some(site)
}

/// The same without waiting for the catalogue, for rules that refuse nothing.
pub(crate) fn lenient_site(label: &str, overrides: &str) -> Option<Site> {
    (!direct()).then(|| prepared(label, overrides))
}

fn prepared(label: &str, overrides: &str) -> Site {
    Site::prepared(
        label,
        overrides,
        "CREATE TABLE big AS SELECT n, 'row ' || n AS text FROM generate_series(1, 400000) AS n;
         CREATE TABLE small AS SELECT n, 'row ' || n AS text FROM generate_series(1, 100) AS n;
         ALTER TABLE big ADD PRIMARY KEY (n);
         ANALYZE",
    )
}

/// A permanent refusal by `rule`, with a hint.
pub(crate) fn assert_refusal(message: &Message, rule: &str) {
    assert_eq!(message.code, b'E', "{}", message.summary());
    assert_eq!(message.sqlstate(), NEVER, "{}", message.summary());
    assert_eq!(message.field(b'S').unwrap(), "ERROR");
    let text = message.field(b'M').unwrap();
    assert!(text.starts_with(&format!("FLOODWALL[rule={rule}]")), "{text}");
    assert!(message.field(b'H').is_some_and(|hint| !hint.is_empty()), "no hint: {text}");
}
