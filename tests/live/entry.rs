//! The ways in and out beside a plain port: PROXY headers and Unix sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::pki::Office;
use crate::support::cluster::{Cluster, bin, run};
use crate::support::command::{limited, stdout};
use crate::support::floodwall::{Proxy, direct};
use crate::support::ports::free_port;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{PATIENCE, Raw, VERSION_3_0, startup};

/// A header of version 2 for a client at 10.1.2.3, port 4660.
pub(crate) fn header() -> Vec<u8> {
    let addresses = [10, 1, 2, 3, 10, 9, 9, 9, 0x12, 0x34, 0x19, 0x20];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

fn login() -> Vec<u8> {
    startup(VERSION_3_0, &[("user", "postgres"), ("database", "postgres")])
}

/// What comes back for these bytes until the other side closes.
fn answer(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => answer,
        Err(error) => panic!("{error}"),
    }
}

fn bad_headers(proxy: &Proxy) -> f64 {
    proxy.metric("floodwall_logins_total", &["outcome=\"bad_proxy_header\""])
}

#[test]
fn behind_a_balancer_everybody_sees_the_client() {
    if direct() {
        return;
    }
    let listener = "[[listener]]\nproxy_protocol_from = [\"127.0.0.0/8\"]\nallow_trust = true";
    let proxy = Proxy::start(Cluster::shared(), listener);
    let mut client = Raw::open(proxy.port);
    client.send(&[header(), login()].concat());
    client.finish_login().unwrap();
    let clients = proxy.console("SHOW CLIENTS").unwrap();
    assert_eq!((clients[0]["addr"].as_str(), clients[0]["port"].as_str()), ("10.1.2.3", "4660"));
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    assert_eq!(answer(proxy.port, &login()), b"", "a header is required");
    assert!(wait_until(SOON, || bad_headers(&proxy) == 1.0));
    drop(TcpStream::connect(("127.0.0.1", proxy.port)).unwrap());
    let mut check = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    check.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").unwrap();
    drop(check);
    let mut again = Raw::open(proxy.port);
    again.send(&[header(), login()].concat());
    again.finish_login().unwrap();
    drop(again);
    proxy.assert_all_zero();
    let of_clients = || proxy.log().lines().filter(|line| line.contains("::session::")).count();
    assert!(wait_until(SOON, || of_clients() > 0));
    assert_eq!(of_clients(), 1, "checks of the balancer's make no noise: {}", proxy.log());
    assert_eq!(proxy.metric("floodwall_logins_total", &["outcome=\"client_gone\""]), 0.0);
}

#[test]
fn a_client_behind_a_balancer_is_not_trusted_as_if_it_were_on_this_host() {
    if direct() {
        return;
    }
    let proxy = Proxy::start(Cluster::shared(), "[[listener]]\nproxy_protocol_from = [\"127.0.0.1\"]");
    let mut forged = header();
    forged[16..20].copy_from_slice(&[127, 0, 0, 1]);
    for header in [header(), forged] {
        let mut client = Raw::open(proxy.port);
        client.send(&[header, login()].concat());
        let refusal = client.finish_login().unwrap_err();
        assert!(refusal.summary().contains("FLOODWALL[rule="), "{}", refusal.summary());
    }
    proxy.assert_all_zero();
}

#[test]
fn a_header_from_elsewhere_is_refused() {
    if direct() {
        return;
    }
    let proxy = Proxy::start(Cluster::shared(), "[[listener]]\nproxy_protocol_from = [\"10.0.0.0/8\"]");
    assert_eq!(answer(proxy.port, &[header(), login()].concat()), b"");
    assert!(wait_until(SOON, || bad_headers(&proxy) == 1.0));
    let told = || proxy.log().contains("proxy_protocol_from does not name");
    assert!(wait_until(SOON, told), "{}", proxy.log());
    assert_eq!(Raw::login(proxy.port, "postgres", "postgres").unwrap().rows("SELECT 1"), [["1"]]);
    proxy.assert_all_zero();
}

/// Nobody knows which user it was, so the listener is all there is to look for.
#[test]
fn what_is_logged_of_those_who_never_say_who_they_are_names_the_listener() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("proxy", &["127.0.0.1"]);
    let (balanced, plain) = (free_port(), free_port());
    let listeners = format!(
        "[[listener]]\nname = 'secure'\nclient_tls = {}\n\
         [[listener]]\nname = 'balanced'\nbind = '127.0.0.1:{balanced}'\nservers = ['127.0.0.1:1']\n\
         proxy_protocol_from = ['127.0.0.1']\n\
         [[listener]]\nname = 'plain'\nbind = '127.0.0.1:{plain}'\nservers = ['127.0.0.1:2']",
        office.side("prefer", Some("proxy"), None)
    );
    let proxy = Proxy::start(Cluster::shared(), &listeners);
    let hello = b"\x16\x03\x01\0\x05hello";
    // No handshake, a header from elsewhere, none from a balancer, and TLS where there is none.
    answer(proxy.port, hello);
    answer(proxy.port, &header());
    answer(balanced, &login());
    answer(plain, hello);
    for (listener, said) in [
        ("secure", "a TLS handshake with a client failed"),
        ("secure", "proxy_protocol_from does not name"),
        ("balanced", "a load balancer was turned away"),
        ("plain", "this listener has no TLS"),
    ] {
        let named = |line: &str| line.contains(said) && line.contains(&format!("listener=\"{listener}\""));
        assert!(wait_until(SOON, || proxy.log().lines().any(named)), "{said}: {}", proxy.log());
    }
}

#[test]
fn unix_sockets_on_both_sides_carry_sessions_and_cancels() {
    if direct() {
        return;
    }
    let folder = Scratch::new("sockets");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let place = folder.path().display().to_string();
    let cluster = Cluster::start(&[("unix_socket_directories", &place), ("listen_addresses", "")]);
    let listener = format!("[[listener]]\nunix_socket = \"{place}\"");
    let proxy = Proxy::start_for(&format!("{place}:{}", cluster.port), &listener);
    let psql = |sql: &str| {
        let mut psql = limited(bin("psql"), 60);
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg("-h").arg(&place);
        psql.args(["-p", &proxy.port.to_string(), "-U", "postgres", "postgres"]);
        stdout(&run(&mut psql))
    };
    assert_eq!(psql("SELECT inet_client_addr() IS NULL"), "t", "the server is reached over its socket");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let target = format!("host={place} port={} user=postgres dbname=postgres", proxy.port);
        let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.simple_query("SELECT 1").await.unwrap();
        let shown = proxy_clients(&proxy).await;
        assert_eq!(shown, "unix");
        let cancel = client.cancel_token();
        let sleeping = client.simple_query("SELECT pg_sleep(60)");
        let cancelling = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if cancel.cancel_query(tokio_postgres::NoTls).await.is_err() {
                    return;
                }
            }
        };
        let slept = tokio::select! {
            slept = sleeping => slept,
            () = cancelling => panic!("a cancel failed"),
        };
        assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    });
    proxy.assert_all_zero();
    let socket = folder.path().join(format!(".s.PGSQL.{}", proxy.port));
    assert!(socket.exists());
    drop(proxy);
    assert!(!socket.exists(), "the socket goes with its owner");
}

async fn proxy_clients(proxy: &Proxy) -> String {
    tokio::task::block_in_place(|| proxy.console("SHOW CLIENTS").unwrap()[0]["addr"].clone())
}
