//! The harness itself: what every other test stands on.

use crate::support::cluster::Cluster;
use rustix::process::Signal;

#[test]
fn cluster_starts_answers_and_leaves_nothing_behind() {
    let cluster = Cluster::start(&[("work_mem", "3MB")]);
    assert_eq!(cluster.sql("app", "SELECT 1"), "1");
    assert_eq!(cluster.sql("app", "SHOW work_mem"), "3MB");
    let (pid, folder) = (cluster.pid(), cluster.folder().to_owned());
    drop(cluster);
    assert!(!folder.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn cluster_survives_its_own_crash() {
    let cluster = Cluster::start(&[]);
    cluster.sql("app", "CREATE TABLE kept (n int)");
    cluster.stop(Signal::QUIT);
    cluster.restart();
    assert_eq!(cluster.sql("app", "SELECT count(*) FROM kept"), "0");
}
