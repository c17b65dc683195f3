//! What has to hold when everybody has gone.

use crate::scene::Scene;
use crate::support::floodwall::Proxy;
use crate::support::process::{SOON, wait_until};

/// What the process of the proxy has of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    descriptors: usize,
    resident_kib: u64,
}

/// How much more it may have in the end: connections of the monitor come and go, caches have bounds of their own.
const SPARE: Held = Held { descriptors: 4, resident_kib: 96 * 1024 };

impl Held {
    pub(crate) fn of(proxy: &Proxy) -> Self {
        let folder = format!("/proc/{}", proxy.pid());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        Self {
            descriptors: std::fs::read_dir(format!("{folder}/fd")).unwrap().count(),
            resident_kib: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
        }
    }

    fn is_back(self, before: Self) -> bool {
        self.descriptors <= before.descriptors + SPARE.descriptors
            && self.resident_kib <= before.resident_kib + SPARE.resident_kib
    }
}

pub(crate) fn check(scene: &Scene, before: &Held) {
    let mut left = Vec::new();
    if !wait_until(SOON, || {
        left = left_at_the_server(scene);
        left.is_empty()
    }) {
        scene.fail(format!("left at the server:\n{}", left.join("\n")));
    }
    let clients = || scene.proxy.console("SHOW CLIENTS").unwrap();
    if !wait_until(SOON, || clients().is_empty()) {
        scene.fail(format!("still shown as clients: {:?}", clients()));
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    if scene.cluster.sql("app", locks) != "0" {
        scene.fail("advisory locks are left".to_owned());
    }
    if scene.cluster.sql("app", "SELECT count(*) FROM copied WHERE owner = 'nobody'") != "0" {
        scene.fail("a COPY whose client died was committed".to_owned());
    }
    for difference in scene.ledger.differences(&scene.cluster.sql("app", "SELECT token FROM kept")).into_iter().take(10)
    {
        scene.fail(difference);
    }
    if !wait_until(SOON, || Held::of(&scene.proxy).is_back(*before)) {
        scene.fail(format!("the proxy has {:?} and had {before:?}", Held::of(&scene.proxy)));
    }
    let left = scene.proxy.still_held(SOON);
    if !left.is_empty() {
        scene.fail(format!("still held: {left:?}"));
    }
    println!("before: {before:?}, after: {:?}", Held::of(&scene.proxy));
}

/// Sessions of clients at the server, but for those whose connection was cut while they worked: they learn of it in the end.
fn left_at_the_server(scene: &Scene) -> Vec<String> {
    let all = "SELECT client_port, pid, state, wait_event, now() - query_start, query FROM pg_stat_activity
        WHERE usename IN ('app', 'trusted', 'replicator')";
    let is_left = |line: &&str| {
        line.split('|').next().and_then(|port| port.parse().ok()).is_none_or(|port| !scene.strait.has_broken(port))
    };
    scene.cluster.sql("app", all).lines().filter(is_left).map(str::to_owned).collect()
}
