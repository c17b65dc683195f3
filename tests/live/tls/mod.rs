//! TLS towards clients and servers: real libpq, a real server, and a client that shakes hands by hand.

mod servers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::pki::Office;
use crate::support::cluster::{Cluster, run};
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, VERSION_3_0, startup};
use crate::support::site::Site;

pub(crate) const LISTENER: &str = "[[listener]]\n";

/// An authority with a certificate for this machine, and a proxy that shows it.
fn encrypted(label: &str, mode: &str, further: &str) -> (Office, Site) {
    let office = Office::new();
    office.issue("proxy", &["localhost", "127.0.0.1"]);
    let ca = mode.starts_with("verify").then_some(&office);
    let client_tls = office.side(mode, Some("proxy"), ca);
    let site = Site::new(label, &format!("{further}\n{LISTENER}client_tls = {client_tls}"));
    (office, site)
}

/// A server that speaks TLS, with a certificate for these names.
pub(crate) fn encrypting_server(office: &Office, label: &str, extra: &[(&str, &str)]) -> Cluster {
    let (cert, key) = (office.text(&format!("{label}.crt")), office.key_for_server(label));
    let own = [("ssl", "on"), ("ssl_cert_file", cert.as_str()), ("ssl_key_file", key.as_str())];
    Cluster::start(&[&own[..], extra].concat())
}

/// psql with these settings of libpq.
pub(crate) fn psql(port: u16, user: &str, settings: &[(&str, &str)], sql: &str) -> Command {
    let mut psql = crate::support::command::pg("psql", port, user, "app");
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    psql.envs(settings.iter().copied());
    psql
}

pub(crate) fn answer(command: &mut Command) -> String {
    stdout(&run(command))
}

pub(crate) fn refusal(command: &mut Command) -> String {
    let out: Output = command.output().unwrap();
    assert!(!out.status.success(), "{}", stdout(&out));
    stderr(&out)
}

/// Has this client's connection TLS at the server?
pub(crate) const SERVER_SSL: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

pub(crate) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// How a handshake begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With a request.
    Asked,
    /// With itself.
    Direct,
}

/// A handshake by hand.
fn shake(port: u16, config: &Arc<ClientConfig>, manner: Manner) -> std::io::Result<Secured> {
    shake_on(Raw::open(port), config, manner)
}

pub(crate) fn shake_on(mut raw: Raw, config: &Arc<ClientConfig>, manner: Manner) -> std::io::Result<Secured> {
    if manner == Manner::Asked {
        raw.send(&raw::ssl_request());
        assert_eq!(raw.byte(), Some(b'S'));
    }
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(session, raw.stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Reads messages up to one of that code; its body.
pub(crate) fn until(stream: &mut Secured, code: u8) -> Vec<u8> {
    loop {
        let (found, body) = message(stream).unwrap();
        if found == code {
            return body;
        }
        assert_ne!(found, b'E', "{}", body.escape_ascii());
    }
}

pub(crate) fn message(stream: &mut Secured) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body)?;
    Ok((head[0], body))
}

pub(crate) fn log_in(stream: &mut Secured, database: &str) -> (u32, Vec<u8>) {
    stream.write_all(&startup(VERSION_3_0, &[("user", "postgres"), ("database", database)])).unwrap();
    let key = until(stream, b'K');
    until(stream, b'Z');
    (u32::from_be_bytes(key[..4].try_into().unwrap()), key[4..].to_vec())
}

#[test]
fn every_sslmode_of_libpq_gets_what_it_asks_for() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_modes", "prefer", "");
    let root = office.text("ca.crt");
    for (mode, tls) in [
        ("disable", ""),
        ("allow", ""),
        ("prefer", "TLSv1.3"),
        ("require", "TLSv1.3"),
        ("verify-ca", "TLSv1.3"),
        ("verify-full", "TLSv1.3"),
    ] {
        let settings = [("PGSSLMODE", mode), ("PGSSLROOTCERT", if tls.is_empty() { "" } else { root.as_str() })];
        assert_eq!(answer(&mut psql(site.proxy.port, "app", &settings, "SELECT 41 + 1")), "42", "{mode}");
        // Its session may outlive psql by a moment.
        site.proxy.assert_all_zero();
        let mut held = psql(site.proxy.port, "app", &settings, "SELECT pg_sleep(30)").spawn().unwrap();
        let mut shown = Vec::new();
        let came = wait_until(SOON, || {
            shown = site.proxy.console("SHOW CLIENTS").unwrap();
            shown.len() == 1
        });
        assert!(came && shown[0]["tls"] == tls, "{mode}: {shown:?}");
        site.proxy.console(&format!("KILL CLIENT {}", shown[0]["id"])).unwrap();
        held.wait().unwrap();
        site.proxy.assert_all_zero();
    }
    assert!(site.proxy.metric("floodwall_tls_handshakes_total", &["side=\"client\"", "TLSv1.3"]) >= 8.0);
    let not_after = site.proxy.metric("floodwall_tls_certificate_not_after_timestamp_seconds", &["side=\"client\""]);
    assert!(not_after > 4.0e9, "{not_after}");
    // TLS 1.2 is the oldest that is spoken.
    let old = [("PGSSLMODE", "require"), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.2")];
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &old, "SELECT 1")), "1");
    assert_eq!(site.proxy.metric("floodwall_tls_handshakes_total", &["TLSv1.2"]), 1.0);
    site.finish();
}

#[test]
fn who_must_encrypt_and_does_not_is_told_so() {
    if direct() {
        return;
    }
    let (_office, site) = encrypted("tls_require", "require", "");
    let told = refusal(&mut psql(site.proxy.port, "app", &[("PGSSLMODE", "disable")], "SELECT 1"));
    assert!(told.contains("FLOODWALL[rule=client_tls]") && told.contains("encrypted connections only"), "{told}");
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &[("PGSSLMODE", "require")], "SELECT 1")), "1");
    site.finish();
}

#[test]
fn client_certificates_are_asked_for_and_are_their_users_alone() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_certs", "verify-full", "");
    office.issue("app", &[]);
    let (cert, key) = (office.text("app.crt"), office.text("app.key"));
    let own = [("PGSSLMODE", "require"), ("PGSSLCERT", cert.as_str()), ("PGSSLKEY", key.as_str())];
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &own, "SELECT 1")), "1");
    let told = refusal(&mut psql(site.proxy.port, "md5_user", &own, "SELECT 1"));
    assert!(told.contains("FLOODWALL[rule=client_tls] the client's certificate is not for this user"), "{told}");
    let none = [("PGSSLMODE", "require"), ("PGSSLCERT", "/nowhere")];
    refusal(&mut psql(site.proxy.port, "app", &none, "SELECT 1"));
    let stranger = Office::new();
    stranger.issue("app", &[]);
    let (cert, key) = (stranger.text("app.crt"), stranger.text("app.key"));
    refusal(&mut psql(
        site.proxy.port,
        "app",
        &[("PGSSLMODE", "require"), ("PGSSLCERT", &cert), ("PGSSLKEY", &key)],
        "SELECT 1",
    ));
    assert!(site.proxy.metric("floodwall_tls_handshakes_total", &["failed"]) >= 2.0);
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &own, "SELECT 2")), "2");
    site.finish();
}

#[test]
fn tls_from_the_first_byte_wants_the_protocols_name() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_direct", "require", "");
    let mut client = shake(site.proxy.port, &office.client(&["postgresql"]), Manner::Direct).unwrap();
    assert_eq!(client.conn.alpn_protocol(), Some(&b"postgresql"[..]));
    log_in(&mut client, &site.database);
    client.write_all(&raw::query("SELECT 7")).unwrap();
    assert_eq!(until(&mut client, b'D'), b"\0\x01\0\0\0\x017");
    drop(client);
    for protocols in [&[][..], &["http/1.1"]] {
        // The handshake itself may end well in the client's eyes before the proxy has left.
        let gone = shake(site.proxy.port, &office.client(protocols), Manner::Direct).and_then(|mut client| {
            client.write_all(&startup(VERSION_3_0, &[("user", "postgres")])).ok();
            message(&mut client)
        });
        assert!(gone.is_err(), "{protocols:?}");
    }
    // With a request first no name is needed, as for libpq before version 17.
    let mut client = shake(site.proxy.port, &office.client(&[]), Manner::Asked).unwrap();
    log_in(&mut client, &site.database);
    drop(client);
    site.finish();
}

#[test]
fn bytes_in_front_of_the_handshake_are_no_part_of_the_session() {
    if direct() {
        return;
    }
    let (_office, site) = encrypted("tls_stuffed", "prefer", "");
    let mut client = Raw::open(site.proxy.port);
    let stuffed = startup(VERSION_3_0, &[("user", "postgres"), ("database", &site.database)]);
    client.send_all(&[raw::ssl_request(), stuffed]);
    let reply = client.rest().unwrap();
    assert_eq!(raw::sqlstates(&reply), ["08P01"]);
    // GSSAPI is declined, and TLS may follow; what follows then is no handshake.
    let mut client = Raw::open(site.proxy.port);
    client.send(&raw::gss_request());
    assert_eq!(client.byte(), Some(b'N'));
    client.send(&raw::ssl_request());
    assert_eq!(client.byte(), Some(b'S'));
    client.send(b"GET / HTTP/1.1\r\n\r\n");
    drop(client.rest());
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &[("PGSSLMODE", "require")], "SELECT 1")), "1");
    site.finish();
}

#[test]
fn a_cancel_comes_encrypted_into_a_full_house() {
    if direct() {
        return;
    }
    let caps = "[caps]\nover = 'refuse'\nmax_clients = 1\nmax_logins = 1\n[caps.address]\nmax_connections = 1";
    let (office, site) = encrypted("tls_cancel", "require", caps);
    let config = office.client(&["postgresql"]);
    let mut client = shake(site.proxy.port, &config, Manner::Asked).unwrap();
    let (pid, secret) = log_in(&mut client, &site.database);
    client.write_all(&raw::query("SELECT pg_sleep(30)")).unwrap();
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' \
                  AND datname = current_database() AND pid <> pg_backend_pid()";
    assert!(wait_until(SOON, || site.direct_sql(asleep) == "1"));
    for manner in [Manner::Asked, Manner::Direct] {
        if manner == Manner::Direct {
            client.write_all(&raw::query("SELECT pg_sleep(30)")).unwrap();
            assert!(wait_until(SOON, || site.direct_sql(asleep) == "1"));
        }
        let mut cancel = shake(site.proxy.port, &config, manner).unwrap();
        cancel.write_all(&raw::cancel_request(pid, &secret)).unwrap();
        let (code, error) = loop {
            let (code, body) = message(&mut client).unwrap();
            if code == b'E' {
                break (code, body);
            }
        };
        assert!(code == b'E' && error.windows(5).any(|part| part == b"57014"), "{}", error.escape_ascii());
        until(&mut client, b'Z');
    }
    drop(client);
    site.finish();
}

/// As libpq 17 and newer want it, who otherwise say that the cancel failed.
#[test]
fn the_connection_of_a_cancel_ends_as_tls_does() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_cancel_end", "require", "");
    let config = office.client(&["postgresql"]);
    let mut client = shake(site.proxy.port, &config, Manner::Asked).unwrap();
    let (pid, secret) = log_in(&mut client, &site.database);
    for (manner, pid) in [(Manner::Asked, pid), (Manner::Direct, pid), (Manner::Asked, pid ^ 1)] {
        let mut cancel = shake(site.proxy.port, &config, manner).unwrap();
        cancel.write_all(&raw::cancel_request(pid, &secret)).unwrap();
        let mut rest = Vec::new();
        assert_eq!(cancel.read_to_end(&mut rest).map_err(|error| error.to_string()), Ok(0), "{rest:?}");
    }
    drop(client);
    site.finish();
}

#[test]
fn a_second_session_is_resumed() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_resume", "require", "");
    let config = office.client(&["postgresql"]);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut client = shake(site.proxy.port, &config, Manner::Asked).unwrap();
        log_in(&mut client, &site.database);
        assert_eq!(client.conn.handshake_kind(), Some(kind));
    }
    assert_eq!(site.proxy.metric("floodwall_tls_handshakes_total", &["resumed"]), 1.0);
    site.finish();
}

#[test]
fn a_silent_client_holds_nobody_up_and_is_closed_at_the_login_deadline() {
    if direct() {
        return;
    }
    let (_office, site) = encrypted("tls_silent", "prefer", "[caps]\nlogin_timeout = '12s'");
    // More than there are places for handshakes.
    let silent: Vec<Raw> = (0..100)
        .map(|number| {
            let mut client = Raw::open(site.proxy.port);
            client.send(&raw::ssl_request());
            assert_eq!(client.byte(), Some(b'S'));
            // Half of a hello.
            if number % 10 == 0 {
                client.send(&[0x16, 3, 1, 1, 0, 1]);
            }
            client
        })
        .collect();
    assert_eq!(answer(&mut psql(site.proxy.port, "app", &[("PGSSLMODE", "require")], "SELECT 1")), "1");
    for mut client in silent {
        let mut end = Vec::new();
        assert!(client.stream.read_to_end(&mut end).is_ok() && end.is_empty(), "{}", end.escape_ascii());
    }
    site.finish();
}

#[test]
fn a_renewed_certificate_is_shown_from_the_reload_on_and_a_broken_one_never() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_reload", "require", "");
    let shown = || {
        let client = shake(site.proxy.port, &office.client(&["postgresql"]), Manner::Asked).unwrap();
        client.conn.peer_certificates().unwrap()[0].to_vec()
    };
    let mut old = shake(site.proxy.port, &office.client(&["postgresql"]), Manner::Asked).unwrap();
    log_in(&mut old, &site.database);
    let first = shown();
    office.issue("proxy", &["localhost", "127.0.0.1"]);
    site.proxy.signal(Signal::HUP);
    assert!(wait_until(SOON, || shown() != first), "{}", site.proxy.log());
    let second = shown();
    // Whoever was in stays in.
    old.write_all(&raw::query("SELECT 7")).unwrap();
    until(&mut old, b'D');
    std::fs::write(office.path("proxy.key"), "no key").unwrap();
    site.proxy.console("RELOAD").unwrap();
    assert!(wait_until(SOON, || site.proxy.log().contains("the old ones are in force")));
    assert_eq!(shown(), second);
    drop(old);
    site.finish();
}

#[test]
fn large_replies_and_copies_come_through_whole() {
    if direct() {
        return;
    }
    let (_office, site) = encrypted("tls_large", "require", "[rules]\nmode = 'off'");
    let require = [("PGSSLMODE", "require")];
    let sum = "SELECT md5(string_agg(repeat('x', 10000) || n, ',' ORDER BY n)) FROM generate_series(1, 3000) n";
    let rows = "COPY (SELECT repeat('x', 10000) || n FROM generate_series(1, 3000) n ORDER BY n) TO STDOUT";
    let out = run(&mut psql(site.proxy.port, "app", &require, rows)).stdout;
    assert_eq!(out.len(), run(&mut psql(site.cluster.port, "app", &[], rows)).stdout.len());
    assert_eq!(
        answer(&mut psql(site.proxy.port, "app", &require, sum)),
        answer(&mut psql(site.cluster.port, "app", &[], sum))
    );
    // Back in, and out again.
    let folder = crate::support::process::Scratch::new("copy");
    let file = folder.path().join("rows");
    std::fs::write(&file, &out).unwrap();
    let round = format!(
        "CREATE TEMP TABLE t (v text); \\copy t FROM '{}'\n SELECT count(*), sum(length(v)) FROM t",
        file.display()
    );
    let mut psql = psql(site.proxy.port, "app", &require, "");
    let script = folder.path().join("script");
    std::fs::write(&script, round.replace("; \\copy", ";\n\\copy")).unwrap();
    psql.arg("-f").arg(&script);
    assert_eq!(answer(&mut psql), format!("3000|{}", out.len() - 3000));
    site.finish();
}

#[test]
fn a_reader_with_a_tiny_buffer_gets_every_byte() {
    if direct() {
        return;
    }
    let (office, site) = encrypted("tls_tiny", "require", "[rules]\nmode = 'off'");
    let mut client = shake(site.proxy.port, &office.client(&["postgresql"]), Manner::Asked).unwrap();
    socket2::SockRef::from(&client.sock).set_recv_buffer_size(4096).unwrap();
    log_in(&mut client, &site.database);
    // Larger than what the client's buffer takes at once, so that writes stay pending, at both ends.
    let value = "y".repeat(100_000);
    let texts: Vec<Vec<u8>> = (0..3).map(|n| raw::query(&format!("SELECT {n} || '{value}'"))).collect();
    for (number, text) in texts.iter().enumerate() {
        client.write_all(text).unwrap();
        let body = until(&mut client, b'D');
        assert_eq!(body.len(), 6 + 1 + value.len(), "{number}");
        until(&mut client, b'Z');
    }
    drop(client);
    site.finish();
}
