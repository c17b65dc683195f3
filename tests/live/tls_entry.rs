//! TLS together with the other ways in and out: load balancers in front, servers on Unix sockets.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::entry::header;
use crate::pki::Office;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{Raw, query};
use crate::tls::{LISTENER, Manner, answer, log_in, psql, shake_on, until};

#[test]
fn a_header_of_a_balancer_comes_before_the_handshake() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("proxy", &["localhost"]);
    let keys = format!(
        "proxy_protocol_from = ['127.0.0.0/8']\nallow_trust = true\nclient_tls = {}",
        office.side("require", Some("proxy"), None)
    );
    let proxy = Proxy::start(Cluster::shared(), &format!("{LISTENER}{keys}"));
    for manner in [Manner::Asked, Manner::Direct] {
        let mut raw = Raw::open(proxy.port);
        raw.send(&header());
        let mut client = shake_on(raw, &office.client(&["postgresql"]), manner).unwrap();
        log_in(&mut client, "postgres");
        client.write_all(&query("SELECT 7")).unwrap();
        assert_eq!(until(&mut client, b'D'), b"\0\x01\0\0\0\x017");
        let shown = proxy.console("SHOW CLIENTS").unwrap();
        assert_eq!((shown[0]["addr"].as_str(), shown[0]["tls"].as_str()), ("10.1.2.3", "TLSv1.3"));
        drop(client);
        proxy.assert_all_zero();
    }
}

#[test]
fn a_server_on_a_unix_socket_is_never_asked_for_tls() {
    if direct() {
        return;
    }
    let office = Office::new();
    let folder = Scratch::new("sockets");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let place = folder.path().display().to_string();
    let cluster = Cluster::start(&[("unix_socket_directories", &place)]);
    let tls = office.side("verify-full", None, Some(&office));
    let server = format!("{place}:{}", cluster.port);
    let proxy = Proxy::start_for(&server, &format!("{LISTENER}server_tls = {tls}"));
    let mut asked = psql(proxy.port, "postgres", &[], "SELECT inet_client_addr() IS NULL");
    assert_eq!(answer(asked.env("PGDATABASE", "postgres")), "t");
    let monitor = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'floodwall-monitor'";
    assert!(wait_until(SOON, || cluster.sql("postgres", monitor) == "t"), "{}", proxy.log());
    proxy.assert_all_zero();
}
