//! What everybody was about when something went wrong: without it nobody could tell why.

use crate::scene::Scene;

/// Lines of the proxy's log that may have to do with it.
const LOG_LINES: usize = 60;

/// What the server shows of its clients' processes.
const ACTIVITY: &str =
    "SELECT pid, client_port, state, wait_event, now() - query_start, left(query, 60) FROM pg_stat_activity
    WHERE usename IN ('app', 'trusted', 'replicator') ORDER BY pid";

/// The proxy's and the server's own view of this moment. What cannot be asked says why.
pub(crate) fn taken(scene: &Scene) -> String {
    let mut picture = String::new();
    for command in ["SHOW POOLS", "SHOW PINS", "SHOW SERVERS", "SHOW CLIENTS"] {
        picture += &format!("--- {command} ---\n{}\n", shown(scene, command));
    }
    // The server may be down, and asking it ends the thread then.
    let asked = std::thread::scope(|scope| scope.spawn(|| scene.cluster.sql("app", ACTIVITY)).join());
    picture += &format!("--- pg_stat_activity ---\n{}\n", asked.unwrap_or_else(|_| "the server is down".to_owned()));
    let ports = [scene.proxy.port, scene.strait.port, scene.cluster.port];
    picture += &format!("--- sockets with unread or unsent bytes ---\n{}\n", laden(&ports).join("\n"));
    let log = scene.proxy.log();
    let lines: Vec<&str> = log.lines().collect();
    picture + &format!("--- log of the proxy ---\n{}\n", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"))
}

/// Sockets at these ports whose queues are not empty: `local > remote unsent:unread timer:ticks retransmits`, numbers in hexadecimal as
/// in proc(5). Timer 1 is a retransmission, 4 the probe of a window that is closed.
fn laden(ports: &[u16]) -> Vec<String> {
    let port = |address: &str| address.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let told = table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, local, remote, _, queues, timer, retransmits, ..] = &words[..] else { return None };
        let (from, to) = (port(local)?, port(remote)?);
        let is_ours = ports.contains(&from) || ports.contains(&to);
        (is_ours && queues != "00000000:00000000").then(|| format!("{from} > {to} {queues} {timer} {retransmits}"))
    });
    told.collect()
}

fn shown(scene: &Scene, command: &str) -> String {
    let rows = match scene.proxy.console(command) {
        Ok(rows) => rows,
        Err(why) => return why,
    };
    let lines = rows.into_iter().map(|row| {
        let mut cells: Vec<_> = row.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        cells.sort();
        cells.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}
