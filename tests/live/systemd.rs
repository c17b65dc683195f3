//! What a service manager is told and gives.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::support::cluster::Cluster;
use crate::support::floodwall::{Launch, Proxy, direct};
use crate::support::ports::free_port;
use crate::support::process::{SOON, Scratch};
use crate::support::raw::Raw;

fn server() -> String {
    format!("127.0.0.1:{}", Cluster::shared().port)
}

/// The next message that is no sign of life.
fn told(socket: &UnixDatagram) -> String {
    let mut buf = [0; 4096];
    loop {
        let size = socket.recv(&mut buf).expect("a message within its time");
        let text = String::from_utf8(buf[..size].to_vec()).unwrap();
        if text.trim() != "WATCHDOG=1" {
            return text;
        }
    }
}

#[test]
fn the_service_manager_hears_ready_reloading_and_stopping() {
    if direct() {
        return;
    }
    let folder = Scratch::new("notify");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let variables = vec![("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", "200000".to_owned())];
    let mut proxy = Proxy::launch(&server(), "", Launch { variables, socket: None });
    assert_eq!(told(&socket).trim(), "READY=1");
    proxy.signal(Signal::HUP);
    let reloading = told(&socket);
    let lines: Vec<&str> = reloading.lines().collect();
    assert!(lines[0] == "RELOADING=1" && lines[1].starts_with("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(told(&socket).trim(), "READY=1");
    let mut buf = [0; 64];
    let size = socket.recv(&mut buf).unwrap();
    assert_eq!(String::from_utf8_lossy(&buf[..size]).trim(), "WATCHDOG=1", "and that it is alive");
    proxy.signal(Signal::TERM);
    assert_eq!(told(&socket).trim(), "STOPPING=1");
    assert!(proxy.wait(SOON).is_some_and(|status| status.success()));
}

#[test]
fn a_socket_that_is_given_is_accepted_from() {
    if direct() {
        return;
    }
    let port = free_port();
    let given = TcpListener::bind(("127.0.0.1", port)).unwrap();
    // It is there before the process is: whoever dials early waits.
    let early = std::thread::spawn(move || {
        Raw::login(port, "postgres", "postgres").map(|mut client| client.rows("SELECT 1")).map_err(|e| e.summary())
    });
    let launch = Launch { variables: Vec::new(), socket: Some(given.into()) };
    let proxy = Proxy::launch(&server(), &format!("[[listener]]\nbind = \"127.0.0.1:{port}\""), launch);
    assert_eq!(early.join().unwrap(), Ok(vec![vec!["1".to_owned()]]));
    assert_eq!(Raw::login(port, "postgres", "postgres").unwrap().rows("SELECT 2"), [["2"]]);
    proxy.assert_all_zero();
}
