//! A server that asks Floodwall for no password must not let other hosts in.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::raw::{Message, PATIENCE, Raw, VERSION_3_0, startup};

#[test]
fn a_client_of_another_address_is_refused_where_the_server_asks_for_no_password() {
    let Some(address) = outer_address() else { return };
    let proxy = Proxy::start(Cluster::shared(), "");
    let error = login_from(address, proxy.port, "trusted").unwrap_err();
    assert_eq!(error.sqlstate(), "28000", "{}", error.summary());
    assert!(error.field(b'M').unwrap().starts_with("FLOODWALL[rule=allow_trust]"), "{}", error.summary());
    assert_eq!(Raw::login(proxy.port, "trusted", "app").unwrap().rows("SELECT 1"), [["1"]]);
    proxy.assert_all_zero();
}

#[test]
fn a_client_of_another_address_may_log_in_with_a_password() {
    let Some(address) = outer_address() else { return };
    let proxy = Proxy::start(Cluster::shared(), "");
    let mut raw = open_from(address, proxy.port);
    raw.send(&startup(VERSION_3_0, &[("user", "app"), ("database", "app")]));
    let asked = raw.message();
    assert_eq!((asked.code, &asked.body[..4]), (b'R', &[0, 0, 0, 10][..]), "a SCRAM challenge: {}", asked.summary());
    drop(raw);
    proxy.assert_all_zero();
}

#[test]
fn the_operator_can_allow_it() {
    let Some(address) = outer_address() else { return };
    let proxy = Proxy::start(Cluster::shared(), "[[listener]]\nallow_trust = true");
    assert_eq!(login_from(address, proxy.port, "trusted").unwrap().rows("SELECT 1"), [["1"]]);
    proxy.assert_all_zero();
}

/// An address of this machine that is not loopback: connections from it look like another host's. No packet is sent
/// to find it.
fn outer_address() -> Option<IpAddr> {
    if direct() {
        return None;
    }
    let probe = UdpSocket::bind("0.0.0.0:0").ok()?;
    let found = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr());
    let address = found.map(|local| local.ip()).ok().filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    if address.is_none() {
        eprintln!("SKIPPED trust: this machine has no address but loopback");
    }
    address
}

fn open_from(address: IpAddr, port: u16) -> Raw {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Raw::over(stream)
}

fn login_from(address: IpAddr, port: u16, user: &str) -> Result<Raw, Message> {
    let mut raw = open_from(address, port);
    raw.send(&startup(VERSION_3_0, &[("user", user), ("database", "app")]));
    raw.finish_login()?;
    Ok(raw)
}
