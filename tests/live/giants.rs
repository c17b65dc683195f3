//! Statements of hundreds of megabytes: what they cost Floodwall, and everybody else.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::floodwall::direct;
use crate::support::process::Stop;
use crate::support::raw::Raw;
use crate::support::site::Site;

/// What one statement may make the proxy grow by.
const GROWTH_MAX_KIB: u64 = 32 << 10;
/// How long anybody else may wait for an answer meanwhile: generous, since tests share two cores.
const LATENCY_MAX: Duration = Duration::from_secs(2);
/// Where the machine is so slow that the statement takes long, this part of that: whoever is held up waits for all of it.
const LATENCY_PART: u32 = 4;
/// The same where nobody is quick, Floodwall or not: so many times what the server itself takes at the worst meanwhile.
const LATENCY_TIMES: u32 = 10;

/// How long nobody may take or say anything: a build that is not optimized reads a long text for a while, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(300);

/// A statement that grows by repeating one part.
struct Giant {
    before: &'static str,
    unit: &'static str,
    after: &'static str,
}

const GIANTS: [Giant; 6] = [
    Giant { before: "SELECT '", unit: "xy''", after: "'" },
    Giant { before: "INSERT INTO t VALUES (1)", unit: ",(1)", after: "" },
    Giant { before: "SELECT ", unit: "(", after: "1" },
    Giant { before: "", unit: "a;", after: "" },
    Giant { before: "SELECT ", unit: "1+", after: "1" },
    Giant { before: "SELECT ", unit: "CASE WHEN \"größe\" = '\\' THEN f(", after: "1" },
];

/// Size of each statement: `FLOODWALL_GIANT_MB`, or enough to go through every buffer many times. The server takes no more than
/// 1 GiB less one byte.
fn size() -> usize {
    let megabytes = std::env::var("FLOODWALL_GIANT_MB").map_or(64, |value| value.parse().unwrap());
    (megabytes << 20) - 64
}

#[test]
fn a_giant_statement_costs_little_memory_and_holds_nobody_up() {
    if direct() {
        return;
    }
    let site = Site::new("giants", "workers = 1\n[rules]\non_unreadable = \"refuse\"");
    let mut client = site.raw();
    for giant in GIANTS {
        let (growth, slowest, latency_max) = watched(&site, || send(&mut client, &giant));
        let code = client.until(b"Z").iter().find(|message| message.code == b'E').map(|error| error.sqlstate());
        assert_eq!(code.as_deref(), Some("54000"), "{:?}", giant.unit);
        assert!(growth <= GROWTH_MAX_KIB, "{:?}: {growth} KiB", giant.unit);
        assert!(slowest <= latency_max, "{:?}: {slowest:?}", giant.unit);
        println!("{:?}: {growth} KiB, somebody else waited {slowest:?} at the most", giant.unit);
        assert_eq!(client.rows("SELECT 1"), [["1"]], "the session goes on");
    }
    drop(client);
    site.finish();
}

/// The same where the statement goes to the server, which finds it wrong at its first word.
#[test]
fn a_giant_statement_that_passes_streams() {
    if direct() {
        return;
    }
    let site = Site::new("streams", "workers = 1");
    let mut client = site.raw();
    let (growth, slowest, latency_max) = watched(&site, || send(&mut client, &GIANTS[3]));
    let code = client.until(b"Z").iter().find(|message| message.code == b'E').map(|error| error.sqlstate());
    assert_eq!(code.as_deref(), Some("42601"));
    assert!(growth <= GROWTH_MAX_KIB, "{growth} KiB");
    assert!(slowest <= latency_max, "{slowest:?}");
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

/// Texts that are wholly read, by several sessions at once: they share the budget, and each gets an answer.
#[test]
fn many_large_statements_at_once_stay_within_the_budget() {
    if direct() {
        return;
    }
    let site = Site::new("budget", "[limits]\nmemory = \"64MiB\"");
    let text = format!("SELECT '{}'", "x".repeat(15 << 20));
    let refused = std::thread::scope(|scope| {
        let one = || {
            let mut client = site.raw();
            let error = client.query(&text).iter().find(|message| message.code == b'E').map(|error| error.sqlstate());
            assert_eq!(client.rows("SELECT 1"), [["1"]]);
            error
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        all.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(refused.iter().all(|code| code == "53200"), "{refused:?}");
    assert_eq!(site.raw().query(&text).iter().filter(|message| message.code == b'E').count(), 0, "there is room again");
    assert!(site.proxy.metric("floodwall_guard_bytes", &[]) < f64::from(16 << 20), "texts are given back");
    site.finish();
}

/// Streams a statement; only one part of it is ever held here.
fn send(client: &mut Raw, giant: &Giant) {
    let block = giant.unit.repeat((1 << 20) / giant.unit.len());
    let ends = giant.before.len() + giant.after.len();
    let blocks = (size() - ends) / block.len();
    let body = ends + blocks * block.len() + 1;
    client.stream.set_write_timeout(Some(PATIENCE)).unwrap();
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"Q");
    client.send(&u32::try_from(body + 4).unwrap().to_be_bytes());
    client.send(giant.before.as_bytes());
    for _ in 0..blocks {
        client.stream.write_all(block.as_bytes()).unwrap();
    }
    client.send(giant.after.as_bytes());
    client.send(b"\0");
}

/// By how many KiB the proxy grows at the most while something is done, the longest time that another session waits meanwhile, and how long it
/// may.
fn watched(site: &Site, work: impl FnOnce()) -> (u64, Duration, Duration) {
    let status = format!("/proc/{}/status", site.proxy.pid());
    let kib = |key: &str| -> u64 {
        let text = std::fs::read_to_string(&status).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let done = AtomicBool::new(false);
    let done = &done;
    let mut other = site.raw();
    let mut ordinary = Raw::login(site.cluster.port, "postgres", &site.database).unwrap();
    let before = kib("VmRSS:");
    // The kernel forgets the peak so far.
    std::fs::write(format!("/proc/{}/clear_refs", site.proxy.pid()), "5").unwrap();
    let begin = Instant::now();
    let [slowest, ordinary] = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut slowest = [Duration::ZERO; 2];
            while !done.load(Ordering::Relaxed) {
                for (session, slowest) in [&mut other, &mut ordinary].into_iter().zip(&mut slowest) {
                    let asked = Instant::now();
                    session.rows("SELECT 1");
                    *slowest = (*slowest).max(asked.elapsed());
                }
            }
            slowest
        });
        let stop = Stop(done);
        work();
        drop(stop);
        watcher.join().unwrap()
    });
    let most = LATENCY_MAX.max(begin.elapsed() / LATENCY_PART).max(ordinary * LATENCY_TIMES);
    (kib("VmHWM:").saturating_sub(before), slowest, most)
}
