//! Break-glass: a signed comment lifts a rule for its user until it expires, and nothing else does.

use std::process::Command;
use std::time::{Duration, SystemTime};

use floodwall::guard::pass::{Key, LIFETIME_SECONDS_MAX, Pass};

use crate::rules::{assert_refusal, lenient_site, site};
use crate::support::cluster::run;
use crate::support::command::{stderr, stdout};
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

const KEY: &str = "a key of thirty-two bytes or more";
const LIFTED: &str = "floodwall_break_glass_total";
const REJECTED: &str = "floodwall_break_glass_rejected_total";

/// A pass of the superuser `postgres`, who needs no password, for `DELETE FROM small`.
fn pass(site: &Site) -> Pass {
    Pass {
        rules: vec!["unfiltered_write"],
        user: "postgres".to_owned(),
        database: Some(site.database.clone()),
        until: now() + 600,
        reason: "INC-7".to_owned(),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn signed(pass: &Pass, key: &str) -> String {
    pass.comment(&Key::new(key.as_bytes()).unwrap()).unwrap()
}

/// The site of the rules, with a key.
fn glass(label: &str) -> Option<Site> {
    let site = lenient_site(label, "")?;
    set_key(&site, KEY);
    Some(site)
}

fn set_key(site: &Site, key: &str) {
    let file = site.proxy.folder().join("glass.key");
    std::fs::write(&file, key).unwrap();
    let without = site.proxy.config_text();
    let without = without.split("[break_glass]").next().unwrap();
    site.proxy.write_config(&format!("{without}\n[break_glass]\nkey_file = '{}'\n", file.display()));
    site.proxy.console("RELOAD").unwrap();
}

/// Runs `floodwall pass` on the configuration of the running proxy.
fn floodwall_pass(site: &Site, rules: &str, user: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodwall"));
    command.arg("pass").arg("--config").arg(site.proxy.config_path());
    command.args(["--rule", rules, "--user", user, "--database", &site.database, "--for", "10m", "--reason", "INC-7"]);
    stdout(&run(&mut command))
}

#[test]
fn psql_passes_with_the_comment_that_floodwall_pass_prints() {
    let Some(site) = site("glass_psql", "[rules.result_budget]\nmode = 'off'") else { return };
    set_key(&site, KEY);
    site.direct_sql("GRANT ALL ON small, big TO app");
    let comment = floodwall_pass(&site, "unbounded_select,unfiltered_write", "app");
    let refused = site.psql(&["-c", "DELETE FROM small"]).output().unwrap();
    assert!(stderr(&refused).contains("FLOODWALL[rule=unfiltered_write]"), "{}", stderr(&refused));
    assert!(!stderr(&refused).to_lowercase().contains("glass"), "{}", stderr(&refused));
    assert_eq!(site.sql(&format!("{comment} DELETE FROM small RETURNING 1")).lines().count(), 100);
    assert_eq!(site.sql(&format!("SELECT * FROM big {comment};")).lines().count(), 400_000);
    assert_eq!((site.proxy.metric(LIFTED, &["unfiltered_write"]), site.proxy.metric(LIFTED, &[])), (1.0, 2.0));
    // Lines are written by a thread of their own.
    let audited = || site.proxy.log().matches("audit: a statement passed by break-glass").count() == 2;
    assert!(wait_until(SOON, audited), "{}", site.proxy.log());
    let log = site.proxy.log();
    let signature = comment.split("sig=").nth(1).unwrap().trim_end_matches(" */");
    assert!(log.contains("INC-7") && !log.contains(signature) && !log.contains(KEY), "{log}");
    let rules = site.proxy.console("SHOW RULES").unwrap();
    let row = rules.iter().find(|row| row["rule"] == "unbounded_select").unwrap();
    assert_eq!(row["lifted_total"], "1");
    site.finish();
}

#[test]
fn the_session_is_refused_again_without_it_and_other_rules_hold() {
    let Some(site) = glass("glass_again") else { return };
    let comment = signed(&pass(&site), KEY);
    let mut client = site.raw();
    for _ in 0..3 {
        assert_refusal(&client.query("DELETE FROM small")[0], "unfiltered_write");
        assert_eq!(reply_codes(&client.query(&format!("{comment} DELETE FROM small"))), "C Z");
        // The same shape with the same literals: the reading is shared, the pass is not.
        assert_refusal(&client.query("/* floodwall: */ DELETE FROM small")[0], "unfiltered_write");
    }
    let other = client.query(&format!("{comment} SELECT * FROM small LIMIT 999999"));
    assert_refusal(&other[0], "unbounded_select");
    let both = client.query(&format!("{comment} DELETE FROM small; SELECT * FROM small LIMIT 999999"));
    assert_refusal(&both[0], "unbounded_select");
    drop(client);
    site.finish();
}

#[test]
fn passes_that_do_not_hold_count_as_if_they_were_not_there() {
    let Some(site) = glass("glass_flaws") else { return };
    let good = pass(&site);
    let mut client = site.raw();
    for (flaw, comment) in [
        ("expired", signed(&Pass { until: now() - 1, ..good.clone() }, KEY)),
        ("too_long", signed(&Pass { until: now() + LIFETIME_SECONDS_MAX + 60, ..good.clone() }, KEY)),
        ("other_client", signed(&Pass { user: "app".to_owned(), ..good.clone() }, KEY)),
        ("other_client", signed(&Pass { database: Some("shop".to_owned()), ..good.clone() }, KEY)),
        ("forged", signed(&good, "another key of thirty-two bytes or so")),
        ("forged", signed(&good, KEY).replace("INC-7", "INC-8")),
        ("malformed", "/* floodwall: allow=unfiltered_write */".to_owned()),
    ] {
        let before = site.proxy.metric(REJECTED, &[flaw]);
        assert_refusal(&client.query(&format!("{comment} DELETE FROM small"))[0], "unfiltered_write");
        assert_eq!(site.proxy.metric(REJECTED, &[flaw]), before + 1.0, "{flaw}");
    }
    client.query("BEGIN");
    let forged = signed(&good, "another key of thirty-two bytes or so");
    assert_refusal(&client.query(&format!("DELETE FROM small {forged}"))[0], "unfiltered_write");
    assert_eq!(sqlstates(&client.query("SELECT 1")), ["25P02"]);
    client.query("ROLLBACK");
    assert_eq!(client.rows("SELECT count(*) FROM small"), [["100"]]);
    // What needs no pass is never looked at.
    let before = site.proxy.metric(REJECTED, &[]);
    assert_eq!(client.rows(&format!("{forged} SELECT 1")), [["1"]]);
    assert_eq!(site.proxy.metric(REJECTED, &[]), before);
    assert_eq!(site.proxy.metric(LIFTED, &[]), 0.0);
    drop(client);
    site.finish();
}

/// Who a client is was proved at the login; what it calls itself later changes nothing.
#[test]
fn another_user_does_not_become_the_bearer() {
    let Some(site) = glass("glass_user") else { return };
    site.direct_sql("GRANT ALL ON small TO trusted; GRANT trusted TO postgres");
    let comment = signed(&Pass { user: "trusted".to_owned(), ..pass(&site) }, KEY);
    let delete = format!("{comment} DELETE FROM small");
    let mut other = site.raw();
    other.query("SET ROLE trusted");
    assert_refusal(&other.query(&delete)[0], "unfiltered_write");
    other.query("SET SESSION AUTHORIZATION trusted");
    assert_refusal(&other.query(&delete)[0], "unfiltered_write");
    let mut trusted = Raw::login(site.proxy.port, "trusted", &site.database).unwrap();
    assert_eq!(reply_codes(&trusted.query(&delete)), "C Z");
    drop((other, trusted));
    site.finish();
}

/// As pgjdbc does it: parsed once under a name, bound again and again.
#[test]
fn a_prepared_statement_keeps_its_pass() {
    let Some(site) = glass("glass_prepared") else { return };
    let mut client = site.raw();
    let text = format!("{} UPDATE small SET n = n + 1", signed(&pass(&site), KEY));
    client.send_all(&[raw::parse("S_1", &text), raw::bind("S_1", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    for _ in 0..3 {
        client.send_all(&[raw::bind("S_1", &[]), raw::execute(), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 C Z");
    }
    // Another statement of the same text without the comment has none, under any name.
    for name in ["S_2", "", "S_1"] {
        client.send_all(&[raw::close_statement(name), raw::parse(name, "UPDATE small SET n = n + 1"), raw::sync()]);
        let reply = client.until(b"Z");
        assert_eq!(sqlstates(&reply), ["54000"], "{name}: {}", reply_codes(&reply));
    }
    assert_eq!(client.rows("SELECT sum(n) FROM small"), [[(5050 + 400).to_string()]]);
    drop(client);
    site.finish();
}

/// The server skips what is sent behind an error, and refuses a name that is taken: then the statement of before runs, with its pass.
#[test]
fn a_statement_whose_change_failed_keeps_its_pass() {
    let Some(site) = glass("glass_skipped") else { return };
    let mut client = site.raw();
    let text = format!("{} UPDATE small SET n = n + 1", signed(&pass(&site), KEY));
    let fails = raw::run("SELECT 1 / 0");
    for (label, group) in [
        ("a Parse behind an error", vec![fails.clone(), raw::parse("s", "SELECT 1")]),
        ("a Close behind an error", vec![fails.clone(), raw::close_statement("s")]),
        ("both", vec![fails, raw::close_statement("s"), raw::parse("s", "SELECT 1")]),
        ("a Parse under a name that is taken", vec![raw::parse("s", "SELECT 1")]),
    ] {
        client.send_all(&[raw::close_statement("s"), raw::parse("s", &text), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "3 1 Z", "{label}");
        client.send_all(&[group, vec![raw::sync()]].concat());
        assert_eq!(sqlstates(&client.until(b"Z")).len(), 1, "{label}");
        client.send_all(&[raw::bind("s", &[]), raw::execute(), raw::sync()]);
        let reply = client.until(b"Z");
        assert_eq!((reply_codes(&reply), sqlstates(&reply)), ("2 C Z".to_owned(), vec![]), "{label}");
    }
    assert_eq!(client.rows("SELECT sum(n) FROM small"), [[(5050 + 400).to_string()]]);
    drop(client);
    site.finish();
}

/// And a pass that the server never saw lifts nothing of what runs in its place.
#[test]
fn a_pass_that_was_skipped_lifts_nothing_of_the_statement_before() {
    let Some(site) = lenient_site("glass_unseen", "[rules.result_budget]\nmax_rows = 10") else { return };
    set_key(&site, KEY);
    let rules = vec!["unbounded_select", "result_budget"];
    let comment = signed(&Pass { rules, ..pass(&site) }, KEY);
    let mut client = site.raw();
    for (sql, values) in
        [("SELECT n FROM small LIMIT $1::int8", &["999999"][..]), ("SELECT generate_series(1, 50)", &[])]
    {
        let shown = format!("{comment} {sql}");
        let fails = raw::run("SELECT 1 / 0");
        for (label, group) in [
            ("behind an error", vec![fails.clone(), raw::close_statement("s"), raw::parse("s", &shown)]),
            ("under a name that is taken", vec![raw::parse("s", &shown)]),
        ] {
            client.send_all(&[raw::close_statement("s"), raw::parse("s", sql), raw::sync()]);
            assert_eq!(reply_codes(&client.until(b"Z")), "3 1 Z", "{label}: {sql}");
            client.send_all(&[group, vec![raw::sync()]].concat());
            assert_eq!(sqlstates(&client.until(b"Z")).len(), 1, "{label}: {sql}");
            client.send_all(&[raw::bind("s", values), raw::execute(), raw::sync()]);
            assert_eq!(sqlstates(&client.until(b"Z")), ["54000"], "{label}: {sql}");
        }
        // Prepared with its pass in a group that succeeds, it is lifted.
        client.send_all(&[raw::close_statement("s"), raw::parse("s", &shown), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "3 1 Z", "{sql}");
        client.send_all(&[raw::bind("s", values), raw::execute(), raw::sync()]);
        assert_eq!(sqlstates(&client.until(b"Z")), [""; 0], "{sql}");
    }
    drop(client);
    site.finish();
}

#[test]
fn a_prepared_statement_outlives_neither_its_expiry_nor_its_key() {
    let Some(site) = glass("glass_expiry") else { return };
    let mut client = site.raw();
    let run = [raw::bind("s", &[]), raw::execute(), raw::sync()];
    let prepare = |client: &mut Raw, pass: &Pass| {
        let text = format!("{} UPDATE small SET n = n + 1", signed(pass, KEY));
        client.send_all(&[raw::close_statement("s"), raw::parse("s", &text), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "3 1 Z");
        client.send_all(&run);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 C Z");
    };
    let short = Pass { until: now() + 12, ..pass(&site) };
    prepare(&mut client, &short);
    while now() < short.until {
        std::thread::sleep(Duration::from_millis(100));
    }
    client.send_all(&run);
    assert_eq!(sqlstates(&client.until(b"Z")), ["54000"]);

    prepare(&mut client, &pass(&site));
    set_key(&site, "the next key of thirty-two bytes or more");
    client.send_all(&run);
    assert_eq!(sqlstates(&client.until(b"Z")), ["54000"]);
    assert_eq!(client.rows("SELECT sum(n) FROM small"), [[(5050 + 200).to_string()]]);
    drop(client);
    site.finish();
}

#[test]
fn without_a_key_no_comment_helps() {
    let Some(site) = lenient_site("glass_off", "") else { return };
    let mut client = site.raw();
    let reply = client.query(&format!("{} DELETE FROM small", signed(&pass(&site), KEY)));
    assert_refusal(&reply[0], "unfiltered_write");
    assert_eq!(site.proxy.metric(REJECTED, &[]), 0.0);
    // A new key counts from the next statement of sessions that are open.
    set_key(&site, KEY);
    assert_eq!(reply_codes(&client.query(&format!("{} DELETE FROM small", signed(&pass(&site), KEY)))), "C Z");
    drop(client);
    site.finish();
}

/// A rule in `warn` would have been lifted as well: it warns of nothing.
#[test]
fn a_pass_lifts_warnings_too() {
    let Some(site) = lenient_site("glass_warn", "[rules]\nmode = 'warn'\nnotice = true") else { return };
    set_key(&site, KEY);
    let mut client = site.raw();
    let quiet = client.query(&format!("{} DELETE FROM small", signed(&pass(&site), KEY)));
    assert!(quiet.iter().all(|message| message.code != b'N'), "a notice came");
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["warn"]), 0.0);
    assert_eq!(site.proxy.metric(LIFTED, &["unfiltered_write"]), 1.0);
    drop(client);
    site.finish();
}

/// What is only known while a statement runs is lifted then, and told with what was measured.
#[test]
fn a_pass_lifts_what_is_measured() {
    let overrides = "[rules.result_budget]\nmax_rows = 10\n[rules.write_budget]\nmode = 'enforce'\nmax_rows = 10\n\
                     [rules.pipeline_write]\nmode = 'enforce'\nmax_writes = 2";
    let Some(site) = lenient_site("glass_measured", overrides) else { return };
    set_key(&site, KEY);
    let rules = vec!["result_budget", "write_budget", "pipeline_write"];
    let comment = signed(&Pass { rules, ..pass(&site) }, KEY);
    let mut client = site.raw();
    for (sql, codes) in [("SELECT generate_series(1, 50)", 50), ("UPDATE small SET n = n WHERE n > 0", 0)] {
        let rows = |reply: &[raw::Message]| reply.iter().filter(|message| message.code == b'D').count();
        assert_eq!(sqlstates(&client.query(sql)), ["54000"], "{sql}");
        let reply = client.query(&format!("{comment} {sql}"));
        assert_eq!((sqlstates(&reply).len(), rows(&reply)), (0, codes), "{sql}");
        client.send_all(&[raw::run(&format!("{comment} {sql}")), raw::sync()]);
        let reply = client.until(b"Z");
        assert_eq!((sqlstates(&reply).len(), rows(&reply)), (0, codes), "{sql}");
        // The pass is that of one statement.
        assert_eq!(sqlstates(&client.query(sql)), ["54000"], "{sql}");
    }
    let insert =
        |comment: &str| [vec![raw::run(&format!("{comment} INSERT INTO small VALUES (1)")); 4], vec![raw::sync()]];
    client.send_all(&insert("").concat());
    assert_eq!(sqlstates(&client.until(b"Z")), ["54000"]);
    client.send_all(&insert(&comment).concat());
    assert_eq!(sqlstates(&client.until(b"Z")), [""; 0]);
    for (rule, count) in [("result_budget", 2.0), ("write_budget", 2.0), ("pipeline_write", 1.0)] {
        assert_eq!(site.proxy.metric(LIFTED, &[rule]), count, "{rule}");
    }
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}
