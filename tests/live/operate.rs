//! The operator's side of a running proxy: reload, pause, kill, and what the log must never hold.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::command::{pg_within, stderr};
use crate::support::floodwall::{CONSOLE_USER, direct};
use crate::support::http;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, codes, reply_codes, sqlstates};
use crate::support::site::Site;

#[test]
fn every_list_of_the_console_answers_while_clients_are_busy() {
    let Some(site) = site("lists", "") else { return };
    let mut client = site.raw();
    client.query("SELECT 1");
    client.query("DELETE FROM pg_class");
    for list in [
        "CLIENTS",
        "SERVERS",
        "POOLS",
        "STATS",
        "LISTS",
        "DATABASES",
        "CAPS",
        "SURGES",
        "RULES",
        "STATEMENTS",
        "CONFIG",
        "VERSION",
        "HELP",
    ] {
        let rows = site.proxy.console(&format!("SHOW {list}")).unwrap_or_else(|e| panic!("SHOW {list}: {e}"));
        assert!(!rows.is_empty(), "SHOW {list} is empty");
    }
    let clients = site.proxy.console("SHOW CLIENTS").unwrap();
    assert_eq!(clients[0]["user"], "postgres");
    assert_eq!(clients[0]["server_pid"], client.key.clone().unwrap().0.to_string());
    let rules = site.proxy.console("SHOW RULES").unwrap();
    let unfiltered = rules.iter().find(|row| row["rule"] == "unfiltered_write").unwrap();
    assert_eq!(unfiltered["enforced_total"], "1");
    drop(client);
    site.finish();
}

#[test]
fn a_reload_applies_to_sessions_that_are_open() {
    let Some(site) = site("reload", "") else { return };
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    assert_eq!(sqlstates(&client.query("DELETE FROM t")), ["54000"]);
    change(&site, "[rules.unfiltered_write]\nmode = \"off\"\n");
    site.proxy.console("RELOAD").unwrap();
    assert_eq!(reply_codes(&client.query("DELETE FROM t")), "C Z");
    change(&site, "[rules.unfiltered_write]\nmode = \"enforce\"\n");
    site.proxy.signal(Signal::HUP);
    let enforced = || sqlstates(&client.query("DELETE FROM t")) == ["54000"];
    assert!(wait_until(SOON, enforced));
    drop(client);
    site.finish();
}

#[test]
fn a_reload_reaches_statements_that_were_prepared_before() {
    let Some(site) = site("reload_prepared", "") else { return };
    site.direct_sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)");
    change(&site, "[rules.unfiltered_write]\nmode = \"off\"\n");
    site.proxy.console("RELOAD").unwrap();
    let mut client = site.raw();
    let run = [raw::bind("s", &[]), raw::execute(), raw::sync()];
    client.send_all(&[raw::parse("s", "UPDATE t SET n = n + 1"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    client.send_all(&run);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 C Z");
    change(&site, "");
    site.proxy.console("RELOAD").unwrap();
    client.send_all(&run);
    assert_eq!(sqlstates(&client.until(b"Z")), ["54000"]);
    assert_eq!(client.rows("SELECT sum(n) FROM t"), [["5"]]);
    drop(client);
    site.finish();
}

#[test]
fn what_needs_a_restart_is_told_from_what_runs() {
    let Some(site) = site("reload_back", "") else { return };
    let good = site.proxy.config_text();
    site.proxy.write_config(&format!("workers = 7\n{good}"));
    site.proxy.console("RELOAD").unwrap();
    let told = || site.proxy.log().contains("these need a restart: workers");
    assert!(wait_until(SOON, told), "{}", site.proxy.log());
    site.proxy.write_config(&good);
    site.proxy.console("RELOAD").unwrap();
    assert_eq!(site.proxy.log().matches("need a restart").count(), 1, "{}", site.proxy.log());
    site.finish();
}

/// `docker/Dockerfile` asks every ten seconds, and an exporter as often.
#[test]
fn a_health_check_leaves_no_line_in_the_log_and_an_operator_does() {
    let Some(site) = site("health_check", "") else { return };
    for _ in 0..3 {
        let mut ctl = Command::new(env!("CARGO_BIN_EXE_floodwall"));
        ctl.args(["ctl", "--config"]).arg(site.proxy.config_path()).arg("SHOW VERSION");
        let output = ctl.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    site.proxy.console("SHOW VERSION").unwrap();
    let logins = || site.proxy.log().matches("console login").count();
    assert!(wait_until(SOON, || logins() > 0));
    assert_eq!(logins(), 1, "{}", site.proxy.log());
    site.finish();
}

#[test]
fn the_log_tells_who_was_not_let_in_and_why() {
    let Some(site) = site("turned_away", "") else { return };
    assert!(Raw::login(site.proxy.port, "postgres", "no_such_database").is_err());
    let good = site.proxy.config_text();
    let unreachable: String = good.lines().map(elsewhere).collect();
    site.proxy.write_config(&unreachable);
    site.proxy.console("RELOAD").unwrap();
    assert!(Raw::login(site.proxy.port, "postgres", &site.database).is_err());
    site.proxy.write_config(&good);
    site.proxy.console("RELOAD").unwrap();
    for told in ["database=\"no_such_database\"", "3D000", "no connection to the server 127.0.0.1:1: "] {
        assert!(wait_until(SOON, || site.proxy.log().contains(told)), "{told}: {}", site.proxy.log());
    }
    site.finish();
}

#[test]
fn a_wrong_file_changes_nothing_and_says_where_it_is_wrong() {
    let Some(site) = site("wrong", "") else { return };
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    let good = site.proxy.config_text();
    let wrong = "[rules.unfiltered_write]\nmode = \"off\"\n[caps]\nmax_clinets = 5\n";
    change(&site, wrong);
    let line = 1 + site.proxy.config_text().lines().position(|line| line.starts_with("max_clinets")).unwrap();
    let told = site.proxy.console("RELOAD").unwrap_err();
    for expected in ["max_clinets", "max_clients", &line.to_string()] {
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
    site.proxy.signal(Signal::HUP);
    assert!(wait_until(SOON, || site.proxy.log().contains("max_clinets")), "{}", site.proxy.log());
    assert_eq!(sqlstates(&client.query("DELETE FROM t")), ["54000"]);
    site.proxy.write_config(&good);
    site.proxy.console("RELOAD").unwrap();
    drop(client);
    site.finish();
}

#[test]
fn a_reload_changes_caps_and_closes_nobody() {
    let Some(site) = site("reload_caps", "[caps]\nover = 'refuse'") else { return };
    let mut held: Vec<Raw> = (0..4).map(|_| site.raw()).collect();
    change(&site, "[caps.client]\nmax_connections = 2\n");
    site.proxy.console("RELOAD").unwrap();
    let error = Raw::login(site.proxy.port, "postgres", &site.database).unwrap_err();
    assert!(error.field(b'M').unwrap().contains("client_max_connections"), "{}", error.summary());
    for session in &mut held {
        assert_eq!(session.rows("SELECT 1"), [["1"]]);
    }
    drop(held);
    site.finish();
}

#[test]
fn kill_ends_one_session_with_a_reason_and_its_query_with_it() {
    let Some(site) = site("kill", "") else { return };
    let mut victim = site.raw();
    let mut other = site.raw();
    let pid = victim.key.clone().unwrap().0.to_string();
    victim.send(&raw::query("SELECT pg_sleep(600)"));
    let asleep = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'");
    assert!(wait_until(SOON, || site.direct_sql(&asleep) == "1"));
    let clients = site.proxy.console("SHOW CLIENTS").unwrap();
    let number = &clients.iter().find(|row| row["server_pid"] == pid).unwrap()["id"];
    site.proxy.console(&format!("KILL CLIENT {number}")).unwrap();
    let last = victim.rest().unwrap();
    assert_eq!(last.last().unwrap().sqlstate(), "57P01", "{}", codes(&last));
    let gone = || site.direct_sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == "0";
    assert!(wait_until(SOON, gone));
    assert_eq!(other.rows("SELECT 1"), [["1"]]);
    assert!(site.proxy.console("KILL CLIENT 999999").is_err());
    drop((victim, other));
    site.finish();
}

#[test]
fn wait_close_waits_for_sessions_whose_servers_reconnect_meant() {
    let Some(site) = site("wait_close", "") else { return };
    let database = &site.database;
    let (meant, console) = (site.raw(), site.proxy.console_port);
    site.proxy.console(&format!("RECONNECT {database}")).unwrap();
    let later = site.raw();
    let needed = |client: &Raw| {
        let pid = client.key.clone().unwrap().0.to_string();
        let rows = site.proxy.console("SHOW SERVERS").unwrap();
        rows.into_iter().find(|row| row["server_pid"] == pid).unwrap()["close_needed"].clone()
    };
    assert_eq!((needed(&meant), needed(&later)), ("1".to_owned(), "0".to_owned()));
    let (user, password) = CONSOLE_USER;
    let mut psql = pg_within(60, "psql", console, (user, "floodwall"));
    psql.env("PGPASSWORD", password).args(["-XAtq", "-c", &format!("WAIT_CLOSE {database}")]);
    let waiting = std::thread::spawn(move || psql.output().unwrap());
    std::thread::sleep(Duration::from_millis(500));
    assert!(!waiting.is_finished());
    drop(meant);
    let waited = waiting.join().unwrap();
    assert!(waited.status.success(), "{}", stderr(&waited));
    // Who came later is waited for by nobody.
    site.proxy.console(&format!("WAIT_CLOSE {database}")).unwrap();
    // A server for life is one assignment.
    let stats = site.proxy.console("SHOW STATS").unwrap();
    let own = stats.iter().find(|row| row["database"] == *database).unwrap();
    assert_eq!(own["total_server_assignment_count"], own["total_client_login_count"]);
    drop(later);
    site.finish();
}

#[test]
fn a_pause_holds_statements_between_transactions_and_loses_none() {
    let Some(site) = site("pause", "") else { return };
    let mut idle = site.raw();
    let mut working = site.raw();
    working.query("BEGIN");
    // Longer than a slow machine takes for all of this, and than anybody may wait for a reply: only RESUME ends it.
    site.proxy.console("PAUSE 10m").unwrap();
    assert_eq!(working.rows("SELECT 1"), [["1"]]);
    assert_eq!(reply_codes(&working.query("COMMIT")), "C Z");
    idle.send(&raw::query("SELECT 2"));
    assert!(idle.is_silent(Duration::from_millis(400)), "a paused session was served");
    site.proxy.console("RESUME").unwrap();
    assert_eq!(reply_codes(&idle.until(b"Z")), "T D C Z");
    site.proxy.console("PAUSE 300ms").unwrap();
    assert_eq!(idle.rows("SELECT 3"), [["3"]], "a pause ends by itself");
    drop((idle, working));
    site.finish();
}

#[test]
fn what_a_pause_holds_back_can_be_cancelled() {
    let Some(site) = site("pause_cancel", "") else { return };
    site.direct_sql("CREATE TABLE t (n int)");
    let mut client = site.raw();
    let (pid, secret) = client.key.clone().unwrap();
    let cancel = || {
        let mut request = Raw::open(site.proxy.port);
        request.send(&raw::cancel_request(pid, &secret));
        assert_eq!(request.byte(), None);
    };
    site.proxy.console("PAUSE 10m").unwrap();
    cancel();
    for insert in [raw::query("INSERT INTO t VALUES (1)"), [raw::run("INSERT INTO t VALUES (1)"), raw::sync()].concat()]
    {
        client.send(&insert);
        assert!(client.is_silent(Duration::from_millis(100)), "a paused session was served");
        cancel();
        let told = client.until(b"Z");
        assert_eq!((reply_codes(&told).as_str(), sqlstates(&told)), ("E Z", vec!["57014".to_owned()]));
    }
    client.send(&raw::query("INSERT INTO t VALUES (2)"));
    site.proxy.console("RESUME").unwrap();
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    assert_eq!(site.direct_sql("SELECT sum(n) FROM t"), "2");
    let cancels = |outcome: &str| site.proxy.metric("floodwall_cancels_total", &[&format!("outcome=\"{outcome}\"")]);
    assert_eq!((cancels("queued"), cancels("idle"), cancels("forwarded")), (2.0, 1.0, 0.0));
    drop(client);
    site.finish();
}

/// One metric had both, by outcome and by rule: nobody could tell how many cancels clients had sent.
#[test]
fn cancels_of_clients_and_those_of_our_own_are_counted_apart() {
    let Some(site) = site("own_cancels", "[rules.statement_timeout]\nmode = 'enforce'\nlimit = '2s'") else { return };
    let mut client = site.raw();
    assert_eq!(sqlstates(&client.query("SELECT pg_sleep(60)")), ["57014"]);
    let own = |reason: &str| site.proxy.metric("floodwall_own_cancels_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!((own("statement_timeout"), own("session_ended")), (1.0, 0.0));
    client.send(&raw::query("SELECT pg_sleep(60)"));
    assert!(wait_until(SOON, || site.proxy.console("SHOW CLIENTS").unwrap()[0]["activity"] == "active"));
    drop(client);
    assert!(wait_until(SOON, || own("session_ended") == 1.0));
    assert_eq!(site.proxy.metric("floodwall_cancels_total", &[]), 0.0);
    site.finish();
}

#[test]
fn shutdown_from_the_console_drains() {
    let Some(mut site) = site("shutdown", "") else { return };
    let mut client = site.raw();
    site.proxy.console("SHUTDOWN").unwrap();
    assert_eq!(client.rest().unwrap().last().unwrap().sqlstate(), "57P01");
    let status = site.proxy.wait(SOON).expect("still running");
    assert!(status.success(), "{status}");
    let left = std::fs::read_dir(site.proxy.config_path().with_file_name("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let kept = ["console.password", "http.token"];
    assert!(left.into_iter().all(|name| kept.iter().any(|kept| name == *kept)), "the console's socket is left behind");
}

#[test]
fn neither_log_nor_metrics_nor_console_hold_literals_or_secrets() {
    let Some(site) = site("secrets", "[log]\nlevel = 'debug'") else { return };
    let mut client = site.raw();
    client.query("SELECT 'literal-7391', 73917391");
    client.query("DELETE FROM pg_class WHERE 'literal-7391' = 'literal-7391'");
    client.query("SELEC 'literal-7391'");
    client.query("ALTER ROLE trusted PASSWORD 'literal-7391'");
    let shown = site.proxy.console("SHOW STATEMENTS").unwrap();
    let metrics = http::get(site.proxy.http_port, "/metrics").unwrap().body;
    let config = site.proxy.console("SHOW CONFIG").unwrap();
    let report = site.proxy.console("SHOW REPORT unfiltered_write").unwrap();
    assert!(!report.is_empty(), "the DELETE was refused");
    site.sql("SELECT 1");
    for (place, text) in [
        ("log", site.proxy.log()),
        ("statements", format!("{shown:?}")),
        ("metrics", metrics),
        ("config", format!("{config:?}")),
        ("report", format!("{report:?}")),
    ] {
        for secret in ["literal-7391", "73917391", "monitor-secret", "console-secret", "app-secret"] {
            assert!(!text.contains(secret), "{secret} in {place}: {text}");
        }
    }
    site.direct_sql("ALTER ROLE trusted PASSWORD NULL");
    drop(client);
    site.finish();
}

#[test]
fn a_client_cannot_flood_the_log() {
    let Some(site) = site("flood", "") else { return };
    let begin = Instant::now();
    let mut client = site.raw();
    for n in 0..2_000 {
        client.query(&format!("DELETE FROM t{n}"));
    }
    for _ in 0..200 {
        Raw::open(site.proxy.port).send(&[0xff; 16]);
    }
    let lines = site.proxy.log().lines().count();
    // Of each kind ten at once, then one every ten seconds: of the few kinds there are here.
    let most = 300 + begin.elapsed().as_secs();
    assert!((lines as u64) < most, "{lines} lines");
    drop(client);
    site.finish();
}

/// A line of a configuration whose server is nowhere.
fn elsewhere(line: &str) -> String {
    let line = if line.starts_with("servers") { "servers = [\"127.0.0.1:1\"]" } else { line };
    format!("{line}\n")
}

/// None where there is no proxy to operate.
fn site(label: &str, overrides: &str) -> Option<Site> {
    (!direct()).then(|| Site::new(label, overrides))
}

/// Appends to the configuration as it was at the start.
fn change(site: &Site, more: &str) {
    let text = site.proxy.config_text();
    let first = text.split("# changed\n").next().unwrap();
    site.proxy.write_config(&format!("{first}\n# changed\n{more}"));
}
