//! What befalls the servers, between calm times in which nobody may notice anything.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::scene::Scene;
use crate::seed::Dice;
use crate::support::cluster::conn_str;

/// Server processes of the clients; the monitor's and the test's own are others.
const BACKENDS: &str =
    "SELECT pid FROM pg_stat_activity WHERE usename IN ('app', 'trusted', 'replicator') ORDER BY pid";

/// How long a server may take to see that one of its processes was killed.
const NOTICED: Duration = Duration::from_secs(20);

/// Longer than anything may come of the storm before, so that most of it is calm for everybody.
const CALM: Duration = Duration::from_millis(3_000);

/// Calm, then a storm, until the scene is over; the server is well when this ends.
pub(crate) async fn rage(scene: Arc<Scene>) {
    let mut dice = Dice(scene.seed);
    let mut crashed: Option<Instant> = None;
    loop {
        calm(&scene, CALM).await;
        if scene.is_over() {
            return;
        }
        let storm = scene.weather.storm();
        for _ in 0..=dice.below(4) {
            gust(&scene, &mut dice).await;
            sleep(Duration::from_millis(dice.below(400) as u64)).await;
        }
        if crashed.is_none_or(|then| then.elapsed() > Duration::from_secs(8)) {
            crash(&scene, &mut dice).await;
            crashed = Some(Instant::now());
        }
        // Not before the server answers again.
        while ask(&scene, "SELECT 1").await.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
        drop(storm);
        scene.tell("the server answers");
    }
}

/// What froze in the storm is cut before this begins to count.
async fn calm(scene: &Scene, time: Duration) {
    let end = Instant::now() + time;
    while !(scene.is_over() || Instant::now() >= end && scene.weather.was_calm_for(time)) {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn gust(scene: &Arc<Scene>, dice: &mut Dice) {
    let which = dice.number() as usize;
    match dice.below(5) {
        0 => terminate(scene, BACKENDS).await,
        1 | 2 => terminate(scene, &format!("{BACKENDS} OFFSET {} LIMIT 1", which % 4)).await,
        3 => {
            scene.count("cut");
            let port = scene.strait.cut(which);
            scene.tell(&format!("the connection from port {port:?} was cut"));
        }
        _ => {
            scene.count("frozen");
            let (frozen, time) = (Arc::clone(scene), Duration::from_millis(dice.below(3_000) as u64));
            tokio::spawn(async move {
                let storm = frozen.weather.storm();
                let port = frozen.strait.freeze(which, time).await;
                frozen.tell(&format!("the connection from port {port:?} was frozen for {time:?}, and cut"));
                drop(storm);
            });
        }
    }
}

/// Ends processes, and waits until they have ended: they would take the calm after the storm for it. Which ones is settled first: what
/// ends them would be asked of all that there are.
async fn terminate(scene: &Scene, backends: &str) {
    let terminate = format!(
        "WITH chosen AS MATERIALIZED (SELECT pid, client_port FROM pg_stat_activity WHERE pid IN ({backends}))
         SELECT client_port FROM chosen WHERE pg_terminate_backend(pid, 5000)"
    );
    let ports: Vec<u16> =
        ask(scene, &terminate).await.unwrap_or_default().iter().flat_map(|port| port.parse()).collect();
    ports.iter().for_each(|_| scene.count("terminated"));
    scene.tell(&format!("{} server processes were terminated", ports.len()));
    until_ended(scene, &ports).await;
}

/// Kills a server process outright: the server ends all others and recovers. It has begun to when this ends; until it has noticed the
/// death, it answers as if nothing had been.
async fn crash(scene: &Scene, dice: &mut Dice) {
    let backends = ask(scene, BACKENDS).await.unwrap_or_default();
    let Some(pid) = backends.get(dice.below(backends.len())).and_then(|pid| pid.parse().ok()) else { return };
    // Never somebody else's process that came to have this number.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    if !status.contains(&format!("\nPPid:\t{}\n", scene.cluster.pid())) {
        return;
    }
    let Some(witness) = witness(scene).await else { return };
    let ports = scene.strait.ports();
    if kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok() {
        scene.tell(&format!("server process {pid} was killed"));
        let crashed = was_noticed(scene, pid, witness).await;
        scene.count(if crashed { "crashed" } else { "killed at its end" });
        if crashed {
            until_ended(scene, &ports).await;
        }
    }
}

/// Waits until the proxy could have heard of the end of these connections: from here on it has no excuse but its own pace.
async fn until_ended(scene: &Scene, ports: &[u16]) {
    let end = Instant::now() + NOTICED;
    while !(scene.strait.have_ended(ports) || scene.is_over() || Instant::now() >= end) {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the server has seen that a process of it is gone. False where that was at its end already, and no crash.
async fn was_noticed(scene: &Scene, pid: i32, witness: JoinHandle<()>) -> bool {
    let end = Instant::now() + NOTICED;
    while !witness.is_finished() && Path::new(&format!("/proc/{pid}")).exists() && Instant::now() < end {
        sleep(Duration::from_millis(20)).await;
    }
    // It writes so as soon as it has seen it.
    sleep(Duration::from_millis(500)).await;
    let told = scene.cluster.log().contains(&format!("(PID {pid}) was terminated by signal 9"));
    told && timeout(NOTICED, witness).await.is_ok()
}

/// A connection to the server itself, which ends with all others.
async fn witness(scene: &Scene) -> Option<JoinHandle<()>> {
    let (client, connection) =
        tokio_postgres::connect(&conn_str(scene.cluster.port, "postgres", "app"), NoTls).await.ok()?;
    Some(tokio::spawn(async move {
        connection.await.ok();
        drop(client);
    }))
}

/// The first column of what the server itself answers, if it does.
async fn ask(scene: &Scene, sql: &str) -> Option<Vec<String>> {
    let target = conn_str(scene.cluster.port, "postgres", "app");
    let (client, connection) = tokio_postgres::connect(&target, NoTls).await.ok()?;
    let driver = tokio::spawn(connection);
    let answer = client.simple_query(sql).await.ok();
    drop(client);
    driver.await.ok();
    let rows = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Some(rows.collect())
}
