//! pgbench in all its protocols, at the default rules: no error, no refusal.

use crate::support::cluster::run;
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::site::Site;

/// Enough for 64 clients of one user.
const ROOM: &str = "[caps.client]\nmax_connections = 150";

#[test]
fn initialises_and_runs_each_script_in_each_protocol() {
    let site = Site::new("pgbench", ROOM);
    run(site.program("pgbench").args(["-i", "-s", "4", "-q"]));
    for protocol in ["simple", "extended", "prepared"] {
        for script in [&["-t", "60"][..], &["-N", "-t", "60"], &["-S", "-t", "300"]] {
            assert_clean(&site, &[&["-c", "8", "-j", "2", "-M", protocol], script].concat());
        }
    }
    assert_no_refusals(&site);
    site.finish();
}

#[test]
fn sixty_four_clients_run_without_an_error() {
    let site = Site::new("pgbench64", ROOM);
    run(site.program("pgbench").args(["-i", "-s", "2", "-q"]));
    for protocol in ["simple", "extended", "prepared"] {
        assert_clean(&site, &["-S", "-c", "64", "-j", "2", "-t", "60", "-M", protocol]);
    }
    assert_no_refusals(&site);
    site.finish();
}

#[test]
fn a_new_connection_for_each_transaction_leaves_nothing_behind() {
    let site = Site::new("pgbench_c", ROOM);
    run(site.program("pgbench").args(["-i", "-s", "1", "-q"]));
    assert_clean(&site, &["-S", "-C", "-c", "4", "-j", "2", "-t", "50"]);
    assert_no_refusals(&site);
    site.finish();
}

#[test]
fn partitioned_and_server_side_generated_tables() {
    let site = Site::new("pgbench_g", ROOM);
    run(site.program("pgbench").args(["-i", "-s", "3", "-q", "-I", "dtGvpf", "--partitions=3"]));
    assert_clean(&site, &["-c", "4", "-j", "2", "-t", "30", "-M", "prepared"]);
    assert_no_refusals(&site);
    site.finish();
}

fn assert_clean(site: &Site, args: &[&str]) {
    let out = run(site.program("pgbench").args(args));
    let errors = stderr(&out).lines().filter(|line| line.contains("error") || line.contains("abort")).count();
    assert_eq!(errors, 0, "{args:?}: {}", stderr(&out));
    assert!(stdout(&out).contains("number of failed transactions: 0"), "{args:?}: {}", stdout(&out));
}

fn assert_no_refusals(site: &Site) {
    if !direct() {
        assert_eq!(site.proxy.metric("floodwall_refusals_total", &[]), 0.0);
    }
}
