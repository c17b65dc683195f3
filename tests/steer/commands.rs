//! Each command, through `psql`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

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
    assert!(servers.contains("|127.0.0.1:5432|4711|1|idle in transaction|main\n"), "{servers}");
    // Those of the pool, as SHOW POOLS counts them.
    let so = |state: &str| servers.lines().filter(|line| line.contains(&format!("|shop||{state}|"))).count();
    assert_eq!(["active", "being_canceled", "idle", "new", "tested"].map(so), [4, 1, 2, 4, 0], "{servers}");
    // Both in one table, in the columns that they share.
    let sockets = shown(&steer, "SHOW SOCKETS");
    assert_eq!(sockets.lines().count(), clients.lines().count() + servers.lines().count());
    assert!(sockets.starts_with("C|django|shop||active|10.1.2.3|4444|"), "{sockets}");
    assert!(sockets.contains("\nS|django|shop||active|127.0.0.1|5432|"), "{sockets}");
    assert!(sockets.lines().all(|line| line.split('|').count() == 22 && line.ends_with("|main")), "{sockets}");
    let active = shown(&steer, "SHOW ACTIVE_SOCKETS");
    let expected: Vec<&str> = sockets.lines().filter(|line| line.contains("|shop||active|")).collect();
    assert_eq!(active.lines().collect::<Vec<_>>(), expected);
    let nodes = shown(&steer, "SHOW NODES");
    assert!(nodes.starts_with("main|127.0.0.1:5432|up|primary|yes|"), "{nodes}");
    drop(seat);
    assert_eq!(shown(&steer, "SHOW CLIENTS"), "");
}

#[test]
fn show_what_others_fill() {
    let steer = Steer::start(&users());
    assert_eq!(shown(&steer, "SHOW CAPS"), "max_connections|web|59||2|7|main\n");
    assert_eq!(shown(&steer, "SHOW SURGES"), "web|59|41.3|12.0|1.50|27|step|main\n");
    assert_eq!(shown(&steer, "SHOW RULES"), "bulk_write|enforce|failed|max_rows = 5000|3|0|0\n");
    let config = shown(&steer, "SHOW CONFIG");
    // The last two by the names that exporters look for.
    assert_eq!(config, "caps.max_clients|9000|10000|yes\nmax_client_conn|10000||yes\nmax_user_connections|0||yes\n");
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
    assert_eq!(shown(&steer, "SHOW VERSION"), format!("Floodwall {}\n", env!("CARGO_PKG_VERSION")));
    let state = shown(&steer, "SHOW STATE");
    assert!(state.starts_with("active|yes\npaused|no\nsuspended|no\npauses|\ndisabled|\nreadiness|ready\n"), "{state}");
    // Also where nobody is in it any more, so that SHOW DATABASES has no row of it.
    shown(&steer, "DISABLE bank");
    shown(&steer, "DISABLE attic");
    assert!(shown(&steer, "SHOW STATE").contains("\ndisabled|attic, bank\n"));
    shown(&steer, "ENABLE attic");
    assert!(shown(&steer, "SHOW STATE").contains("\ndisabled|bank\n"));
    let help = shown(&steer, "help");
    assert_eq!(help, shown(&steer, "SHOW HELP;"));
    assert!(help.contains("KILL CLIENT id|admin|") && help.contains("SHOW CLIENTS|read|") && !help.contains("SELECT"));
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
    assert!(!wrong.ok && wrong.err.contains("KILL CLIENT id"), "{}", wrong.err);
}

#[test]
fn a_reader_reads_and_no_more() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    for command in [
        "KILL CLIENT 1",
        "KILL_CLIENT 1",
        "KILL shop",
        "PAUSE",
        "RESUME",
        "RECONNECT",
        "WAIT_CLOSE",
        "DISABLE shop",
        "ENABLE shop",
        "RELOAD",
        "SHUTDOWN",
        "SHUTDOWN NOW",
    ] {
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
    // The pools of this scene are those of `shop`, and keep their servers.
    shown(&steer, "PAUSE bank 90s");
    let pause = &control.pauses()[&Some("bank".to_owned())];
    assert_eq!(pause.who, "sre");
    assert!(pause.until_ms <= clock::uptime_ms() + 90_000);
    assert!(control.paused("bank") && !control.paused("shop"));
    let state = shown(&steer, "SHOW STATE");
    assert!(state.contains("pauses|bank: by sre, 1m") && state.contains("paused|no"), "{state}");
    let refused = steer.psql("sre", PASSWORD, "RESUME");
    assert!(!refused.ok && refused.err.contains("55000") && refused.err.contains("database bank"), "{}", refused.err);
    shown(&steer, "resume bank");
    assert!(!control.paused("bank"));
    // Nothing is paused, which is no error.
    shown(&steer, "RESUME");
    shown(&steer, "PAUSE bank");
    assert!(control.pauses()[&Some("bank".to_owned())].until_ms > clock::uptime_ms() + 590_000);
    for wrong in ["PAUSE bank soon", "PAUSE 30", "PAUSE 0s"] {
        let refused = steer.psql("sre", PASSWORD, wrong);
        assert!(!refused.ok && refused.err.contains("22023"), "{wrong}: {}", refused.err);
    }
}

#[test]
fn a_pause_that_ends_before_the_servers_are_closed_is_an_error_and_tells_whom_it_waited_for() {
    let steer = Steer::start(&users());
    let begin = Instant::now();
    let paused = steer.psql("sre", PASSWORD, "PAUSE shop 1500ms");
    assert!(!paused.ok && paused.err.contains("57014"), "{}", paused.err);
    assert!(paused.err.contains("waiting for 10 servers (3 held by clients)"), "{}", paused.err);
    assert!(begin.elapsed() >= Duration::from_millis(1400));
    assert!(shown(&steer, "SHOW CLIENTS").is_empty(), "the console goes on");
}

#[test]
fn kill_ends_the_clients_of_a_database_and_pauses_it() {
    let steer = Steer::start(&users());
    let control = &steer.sources.control;
    let seat = steer.join("django");
    shown(&steer, "KILL bank");
    assert_eq!((seat.signalled(), control.paused("bank"), control.paused("shop")), (Signal::None, true, false));
    // RESUME alone would leave it paused.
    let killed = steer.psql("sre", PASSWORD, "KILL shop");
    assert!(killed.err.contains("ending 1 client; paused for 10m, RESUME shop ends it"), "{}", killed.err);
    assert_eq!((seat.signalled(), control.paused("shop")), (Signal::Kill, true));
    let other = steer.join("django");
    shown(&steer, &format!("KILL_CLIENT {}", other.number));
    assert_eq!(other.signalled(), Signal::Kill);
    shown(&steer, "RESUME shop; RESUME bank");
    assert!(!control.paused("shop"));
}

#[test]
fn disable_and_enable() {
    let steer = Steer::start(&users());
    let control = &steer.sources.control;
    let _seat = steer.join("django");
    shown(&steer, "DISABLE shop");
    assert!(control.is_disabled("shop") && !control.is_disabled("bank"));
    assert!(shown(&steer, "SHOW DATABASES").contains("|0|1|main\n"), "{}", shown(&steer, "SHOW DATABASES"));
    shown(&steer, "ENABLE shop");
    assert!(!control.is_disabled("shop"));
    assert!(!steer.psql("sre", PASSWORD, "DISABLE").ok);
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
    let never = steer.psql("sre", PASSWORD, "SHUTDOWN WAIT_FOR_ALL");
    assert!(!never.ok && never.err.contains("WAIT_FOR_CLIENTS"), "{}", never.err);
    assert_eq!(*wishes.borrow_and_update(), Shutdown::No);
    shown(&steer, "SHUTDOWN WAIT_FOR_CLIENTS");
    assert_eq!(*wishes.borrow_and_update(), Shutdown::Clients);
    shown(&steer, "SHUTDOWN WAIT_FOR_SERVERS");
    tokio::time::timeout(Duration::from_secs(60), wishes.wait_for(|wish| *wish == Shutdown::Drain))
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
    assert_eq!(shown(&steer, "show client_encoding; SHOW TimeZone"), "UTF8\nUTC\n");
    assert!(steer.psql("sre", PASSWORD, "").ok);
    let sql = steer.psql("sre", PASSWORD, "SELECT * FROM pg_class");
    assert!(!sql.ok && sql.err.contains("SHOW HELP"), "{}", sql.err);
}

#[test]
fn what_is_set_nowhere_is_not_believed_to_be_set() {
    let steer = Steer::start(&users());
    for driver in ["SET DateStyle = 'ISO'", "set extra_float_digits=3", "SET SESSION AUTHORIZATION x", "SET ROLE x"] {
        assert_eq!(shown(&steer, driver), "SET\n");
    }
    for (set, hint) in [
        ("SET default_pool_size = 50", "floodwall import"),
        ("SET max_clients=5", "write it there"),
        ("SET log_connections = 1", "level"),
        ("SET stats_period TO 5", "nothing to set"),
    ] {
        let refused = steer.psql("sre", PASSWORD, set);
        assert!(!refused.ok && refused.err.contains("config.toml") && refused.err.contains(hint), "{}", refused.err);
    }
}

#[test]
fn commands_of_pgbouncer_that_are_none_here_say_what_does_the_same() {
    let steer = Steer::start(&users());
    for (command, instead) in [("SHOW FDS", "SHOW CLIENTS"), ("SHOW DNS_HOSTS", "SHOW NODES"), ("SUSPEND;", "PAUSE")] {
        let refused = steer.psql("sre", PASSWORD, command);
        assert!(!refused.ok && refused.err.contains("0A000") && refused.err.contains(instead), "{}", refused.err);
    }
}
