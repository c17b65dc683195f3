//! Encryption where servers are lent.

use std::io::Write;

use super::{SOON, one};
use crate::pki::Office;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{Scratch, wait_until};
use crate::support::raw::{Raw, cancel_request, query};
use crate::tls::{
    LISTENER, Manner, SERVER_SSL, answer, encrypting_server, log_in, message, psql, refusal, shake_on, until,
};

/// A pool of so many in front of a server that speaks TLS, whose clients need no password.
struct Scene {
    cluster: Cluster,
    proxy: Proxy,
    _folder: Scratch,
}

impl Scene {
    fn new(office: &Office, size: usize, keys: &str, settings: &[(&str, &str)]) -> Self {
        office.issue("server", &["localhost", "127.0.0.1"]);
        let cluster = encrypting_server(office, "server", settings);
        let folder = Scratch::new("users");
        let file = folder.path().join("users.toml");
        std::fs::write(&file, "[[user]]\nname = 'app'\npassword = 'app-secret'\n").unwrap();
        let listener = format!(
            "{LISTENER}pool = 'transaction'\npool_size = {size}\nserver_idle_timeout = '1s'\nlogin = 'users'\n\
             users_file = '{}'\n{keys}\n[[access]]\nmethod = 'trust'\n",
            file.display()
        );
        Self { proxy: Proxy::start(&cluster, &listener), cluster, _folder: folder }
    }

    fn login(&self) -> Raw {
        Raw::login(self.proxy.port, "app", "app").unwrap_or_else(|error| panic!("{}", error.summary()))
    }

    /// Changes a key of the listener and has the file read.
    fn reload(&self, key: &str, value: &str) {
        let mut config: toml::Table = self.proxy.config_text().parse().unwrap();
        let value: toml::Table = format!("it = {value}").parse().unwrap();
        config["listener"][0].as_table_mut().unwrap().insert(key.to_owned(), value["it"].clone());
        self.proxy.write_config(&toml::to_string(&config).unwrap());
        self.proxy.console("RELOAD").unwrap();
    }

    fn finish(self) {
        let held = self.proxy.still_held(SOON);
        assert!(held.is_empty(), "{held:?}\n{}", self.proxy.log());
    }
}

/// A side that speaks one version alone.
fn only(side: &str, version: &str) -> String {
    side.replace(" }", &format!(", protocols = ['{version}'] }}"))
}

#[test]
fn versions_that_are_left_out_are_not_spoken() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("proxy", &["localhost"]);
    let (clients, servers) = (office.side("require", Some("proxy"), None), office.side("require", None, None));
    let keys = format!("client_tls = {}\nserver_tls = {servers}", only(&clients, "tlsv1.3"));
    let scene = Scene::new(&office, 1, &keys, &[("ssl_max_protocol_version", "TLSv1.2")]);
    let with = |least, most| {
        let settings =
            [("PGSSLMODE", "require"), ("PGSSLMINPROTOCOLVERSION", least), ("PGSSLMAXPROTOCOLVERSION", most)];
        psql(scene.proxy.port, "app", &settings, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    };
    assert_eq!(answer(&mut with("TLSv1.2", "TLSv1.3")), "TLSv1.2", "the server has nothing else");
    assert!(refusal(&mut with("TLSv1.2", "TLSv1.2")).contains("SSL error"));
    scene.reload("client_tls", &only(&clients, "tlsv1.2"));
    assert_eq!(answer(&mut with("TLSv1.2", "TLSv1.3")), "TLSv1.2");
    assert!(refusal(&mut with("TLSv1.3", "TLSv1.3")).contains("SSL error"));
    scene.reload("server_tls", &only(&servers, "tlsv1.3"));
    assert!(refusal(&mut with("TLSv1.2", "TLSv1.3")).contains("FLOODWALL[rule=server]"));
    scene.reload("server_tls", &only(&servers, "tlsv1.2"));
    assert!(wait_until(SOON, || with("TLSv1.2", "TLSv1.3").output().unwrap().status.success()));
    scene.finish();
}

/// What was asked to be encrypted must not go on in plain.
#[test]
fn a_reload_that_asks_for_encryption_reaches_lent_servers() {
    if direct() {
        return;
    }
    let office = Office::new();
    let scene = Scene::new(&office, 2, "", &[]);
    let (mut idle, mut busy) = (scene.login(), scene.login());
    busy.rows("BEGIN");
    for client in [&mut idle, &mut busy] {
        assert_eq!(one(client, SERVER_SSL), "f");
    }
    scene.reload("server_tls", &office.side("verify-ca", None, Some(&office)));
    assert_eq!(one(&mut idle, SERVER_SSL), "t");
    assert_eq!(one(&mut busy, SERVER_SSL), "f", "no transaction is cut");
    busy.rows("COMMIT");
    assert_eq!(one(&mut busy, SERVER_SSL), "t");
    // The same again changes nothing, and neither does what cannot be read.
    let server = one(&mut idle, "SELECT pg_backend_pid()");
    scene.reload("server_tls", &office.side("verify-ca", None, Some(&office)));
    assert_eq!(one(&mut idle, "SELECT pg_backend_pid()"), server);
    scene.reload("server_tls", "{ mode = 'verify-ca', ca_file = '/nowhere/ca.crt' }");
    assert_eq!(one(&mut idle, SERVER_SSL), "t");
    drop((idle, busy));
    scene.finish();
}

#[test]
fn a_cancel_comes_and_goes_encrypted() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("proxy", &["localhost"]);
    let (clients, servers) =
        (office.side("require", Some("proxy"), None), office.side("verify-full", None, Some(&office)));
    let scene = Scene::new(&office, 1, &format!("client_tls = {clients}\nserver_tls = {servers}"), &[]);
    let config = office.client(&["postgresql"]);
    let shake = || shake_on(Raw::open(scene.proxy.port), &config, Manner::Asked).unwrap();
    let mut client = shake();
    let (pid, secret) = log_in(&mut client, "app");
    client.write_all(&query("SELECT pg_sleep(60)")).unwrap();
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    assert!(wait_until(SOON, || scene.cluster.sql("app", asleep) == "1"));
    let before = scene.proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\""]);
    let mut cancel = shake();
    cancel.write_all(&cancel_request(pid, &secret)).unwrap();
    let mut error = Vec::new();
    while error.is_empty() {
        let (code, body) = message(&mut client).unwrap();
        if code == b'E' {
            error = body;
        }
    }
    assert!(error.windows(5).any(|part| part == b"57014"), "{}", error.escape_ascii());
    until(&mut client, b'Z');
    assert_eq!(scene.proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\""]), before + 1.0);
    drop((client, cancel));
    scene.finish();
}

/// Newcomers meet the new mode; who is in stays in.
#[test]
fn a_reload_switches_the_encryption_of_clients_on_and_off() {
    if direct() {
        return;
    }
    let office = Office::new();
    let scene = Scene::new(&office, 1, "", &[]);
    office.issue("proxy", &["localhost"]);
    let with = |mode: &str| psql(scene.proxy.port, "app", &[("PGSSLMODE", mode)], "SELECT 'in'");
    let mut plain = scene.login();
    assert!(refusal(&mut with("require")).contains("does not support SSL"));
    scene.reload("client_tls", &office.side("require", Some("proxy"), None));
    assert_eq!((answer(&mut with("require")).as_str(), one(&mut plain, "SELECT 'still'").as_str()), ("in", "still"));
    assert!(refusal(&mut with("disable")).contains("FLOODWALL["));
    let config = office.client(&["postgresql"]);
    let mut encrypted = shake_on(Raw::open(scene.proxy.port), &config, Manner::Asked).unwrap();
    log_in(&mut encrypted, "app");
    scene.reload("client_tls", "{ mode = 'disable' }");
    assert_eq!(answer(&mut with("disable")), "in");
    assert!(refusal(&mut with("require")).contains("does not support SSL"));
    encrypted.write_all(&query("SELECT 1")).unwrap();
    until(&mut encrypted, b'Z');
    drop((plain, encrypted));
    scene.finish();
}
