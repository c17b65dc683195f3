//! Each command, through `psql`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use floodwall::clock;
use floodwall::control::Shutdown;
use floodwall::roster::{Activity, Signal};
use floodwall::telemetry::StatementKind;
use floodwall::telemetry::shapes::Outcome;

use crate::support::{Steer, users};

const PASSWORD: &str = "admin secret";

fn shown(steer: &Steer, sql: &str) -> String {
    let output = steer.psql("sre", PASSWORD, sql);
    assert!(output.ok, "{sql}: {}", output.err);
    output.out
}

#[test]
fn show_clients_and_servers() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    seat.set_activity(Activity::IdleInTransaction, clock::uptime_ms());
    seat.set_server_pid(4711);
    (0..3).for_each(|_| seat.count_statement());
    let clients = shown(&steer, "show clients;");
    let fields: Vec<&str> = clients.trim_end().split('|').collect();
    assert_eq!(fields[..7], ["C", "django", "shop", "", "active", "10.1.2.3", "4444"]);
    assert!(fields[9].ends_with(" UTC") && fields[9].starts_with("20"), "{}", fields[9]);
    assert!(!fields[18].contains('\u{1b}'), "escaped: {}", fields[18]);
    assert_eq!(fields[20..23], ["1", "django", "idle in transaction"]);
    assert_eq!(fields[24..26], ["3", "4711"]);
    assert_eq!(fields[27], "main");
    let servers = shown(&steer, "SHOW SERVERS");
    assert!(servers.starts_with("S|django|shop||active|127.0.0.1|5432|"), "{servers}");
    assert!(servers.ends_with("|127.0.0.1:5432|4711|1|idle in transaction|main\n"), "{servers}");
    let nodes = shown(&steer, "SHOW NODES");
    assert!(nodes.starts_with("main|127.0.0.1:5432|up|primary|yes|"), "{nodes}");
    drop(seat);
    assert_eq!(shown(&steer, "SHOW CLIENTS"), "");
}

#[test]
fn show_what_others_fill() {
    let steer = Steer::start(&users());
    assert_eq!(shown(&steer, "SHOW CAPS"), "max_connections|web|59||2|7\n");
    assert_eq!(shown(&steer, "SHOW SURGES"), "web|59|41.3|12.0|1.50|27|step\n");
    assert_eq!(shown(&steer, "SHOW RULES"), "bulk_write|enforce|failed|max_rows = 5000|3|0|0\n");
    assert_eq!(shown(&steer, "SHOW CONFIG"), "caps.max_clients|10000\n");
}

#[test]
fn show_statements_in_both_orders() {
    let steer = Steer::start(&users());
    let shapes = &steer.sources.shapes;
    let (often, slow) = (
        shapes.entry(b"select $1", StatementKind::Select),
        shapes.entry(b"update t set a = $1\n\xff", StatementKind::Update),
    );
    (0..5).for_each(|_| often.record(2, Outcome::Completed));
    slow.record(1000, Outcome::Failed);
    slow.refused();
    assert!(shown(&steer, "SHOW STATEMENTS BY COUNT 1").starts_with("select $1|select|5|10|2|2|0|0"));
    let by_time = shown(&steer, "SHOW STATEMENTS");
    assert!(
        by_time.starts_with("update t set a = $1") && by_time.contains("|update|1|1000|1000|1000|1|1"),
        "{by_time}"
    );
    assert_eq!(by_time.lines().count(), 2);
    let wrong = steer.psql("sre", PASSWORD, "SHOW STATEMENTS BY NAME");
    assert!(!wrong.ok && wrong.err.contains("42601") && wrong.err.contains("BY TIME"), "{}", wrong.err);
}

#[test]
fn version_and_help() {
    let steer = Steer::start(&users());
    steer.sources.control.started();
    assert!(shown(&steer, "SHOW VERSION").starts_with(&format!("Floodwall {}|", env!("CARGO_PKG_VERSION"))));
    let help = shown(&steer, "help");
    assert_eq!(help, shown(&steer, "SHOW HELP;"));
    assert!(help.contains("KILL CLIENT n|admin|") && help.contains("SHOW CLIENTS|read|") && !help.contains("SELECT"));
}

#[test]
fn kill_signals_the_session() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    assert_eq!(shown(&steer, &format!("KILL CLIENT {}", seat.number)), "KILL CLIENT\n");
    assert_eq!(seat.signalled(), Signal::Kill);
    let missing = steer.psql("sre", PASSWORD, "KILL CLIENT 4000000000");
    assert!(!missing.ok && missing.err.contains("42704"), "{}", missing.err);
    let wrong = steer.psql("sre", PASSWORD, "KILL CLIENT one");
    assert!(!wrong.ok && wrong.err.contains("KILL CLIENT n"), "{}", wrong.err);
}

#[test]
fn a_reader_reads_and_no_more() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    for command in ["KILL CLIENT 1", "PAUSE", "RESUME", "RELOAD", "SHUTDOWN", "SHUTDOWN NOW"] {
        let refused = steer.psql("looker", "read secret", command);
        assert!(!refused.ok && refused.err.contains("42501"), "{command}: {}", refused.err);
    }
    assert_eq!(seat.signalled(), Signal::None);
    assert!(!steer.sources.control.draining());
    assert!(steer.psql("looker", "read secret", "SHOW CLIENTS").ok);
}

#[test]
fn pause_and_resume() {
    let steer = Steer::start(&users());
    let control = &steer.sources.control;
    shown(&steer, "PAUSE 90s");
    let pause = control.pause_now().unwrap();
    assert_eq!(pause.who, "sre");
    assert!(pause.until_ms <= clock::uptime_ms() + 90_000);
    assert!(shown(&steer, "SHOW VERSION").contains("by sre, 1m"));
    shown(&steer, "resume");
    assert!(!control.paused());
    shown(&steer, "PAUSE");
    assert!(control.pause_now().unwrap().until_ms > clock::uptime_ms() + 590_000);
    for wrong in ["PAUSE soon", "PAUSE 30", "PAUSE 0s"] {
        let refused = steer.psql("sre", PASSWORD, wrong);
        assert!(!refused.ok && refused.err.contains("22023"), "{wrong}: {}", refused.err);
    }
}

#[test]
fn reload_tells_what_came_of_it() {
    let steer = Steer::start(&users());
    let done = steer.psql("sre", PASSWORD, "RELOAD");
    assert!(done.ok && done.err.contains("configuration read for sre"), "{}", done.err);
    steer.broken.store(true, Ordering::Relaxed);
    let wrong = steer.psql("sre", PASSWORD, "RELOAD");
    assert!(!wrong.ok && wrong.err.contains("config.toml:3: unknown key"), "{}", wrong.err);
}

#[tokio::test]
async fn shutdown_is_asked_for() {
    let steer = Steer::start(&users());
    let mut wishes = steer.sources.control.shutdowns();
    shown(&steer, "SHUTDOWN");
    tokio::time::timeout(Duration::from_secs(5), wishes.wait_for(|wish| *wish == Shutdown::Drain))
        .await
        .unwrap()
        .unwrap();
    shown(&steer, "SHUTDOWN NOW");
    assert_eq!(*wishes.borrow_and_update(), Shutdown::Now);
}

#[test]
fn several_commands_stop_at_the_first_that_fails() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    let output = steer.psql("sre", PASSWORD, "SHOW CONFIG; SHOW CLENTS; KILL CLIENT 1");
    assert!(
        !output.ok && output.err.contains("42601") && output.err.contains("Did you mean SHOW CLIENTS?"),
        "{}",
        output.err
    );
    assert_eq!(seat.signalled(), Signal::None);
}

#[test]
fn what_clients_ask_by_themselves_is_answered() {
    let steer = Steer::start(&users());
    assert_eq!(shown(&steer, "SELECT 1"), "1\n");
    assert!(shown(&steer, "select version();").starts_with("PostgreSQL 17.0 (Floodwall"));
    assert!(steer.psql("sre", PASSWORD, "").ok);
    let sql = steer.psql("sre", PASSWORD, "SELECT * FROM pg_class");
    assert!(!sql.ok && sql.err.contains("SHOW HELP"), "{}", sql.err);
}
