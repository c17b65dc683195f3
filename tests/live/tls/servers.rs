//! The way to the server.

use super::*;

#[test]
fn the_way_to_the_server_is_encrypted_as_asked() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("server", &["127.0.0.1"]);
    let cluster = encrypting_server(&office, "server", &[]);
    for (mode, ca) in
        [("prefer", None), ("require", None), ("verify-ca", Some(&office)), ("verify-full", Some(&office))]
    {
        let proxy = Proxy::start(&cluster, &format!("{LISTENER}server_tls = {}", office.side(mode, None, ca)));
        // A client in plain: what binds to the channel is not offered to it.
        assert_eq!(answer(&mut psql(proxy.port, "app", &[], SERVER_SSL)), "t", "{mode}");
        assert_eq!(answer(&mut psql(proxy.port, "md5_user", &[("PGDATABASE", "postgres")], SERVER_SSL)), "t");
        assert!(proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\"", "ok"]) >= 2.0);
        proxy.assert_all_zero();
    }
    let plain = Proxy::start(&cluster, "");
    assert_eq!(answer(&mut psql(plain.port, "app", &[], SERVER_SSL)), "f");
}

#[test]
fn a_server_that_can_not_show_who_it_is_gets_no_login() {
    if direct() {
        return;
    }
    let (office, stranger) = (Office::new(), Office::new());
    office.issue("server", &["db.example"]);
    office.issue_until("expired", &["127.0.0.1"], 2020);
    let cluster = encrypting_server(&office, "server", &[]);
    let expired = encrypting_server(&office, "expired", &[]);
    let table = [
        (&cluster, "verify-full", &office, "the TLS handshake failed"),
        (&cluster, "verify-ca", &stranger, "the TLS handshake failed"),
        (&expired, "verify-ca", &office, "the TLS handshake failed"),
        (Cluster::shared(), "require", &office, "it does not speak TLS"),
        (Cluster::shared(), "verify-ca", &office, "it does not speak TLS"),
    ];
    for (cluster, mode, ca, told) in table {
        let ca = mode.starts_with("verify").then_some(ca);
        let proxy = Proxy::start(cluster, &format!("{LISTENER}server_tls = {}", office.side(mode, None, ca)));
        let words = refusal(&mut psql(proxy.port, "app", &[], "SELECT 1"));
        assert!(words.contains("FLOODWALL[rule=server]") && words.contains(told), "{mode}: {words}");
        assert!(proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\"", "failed"]) >= 1.0);
        proxy.assert_all_zero();
    }
    let prefer = Proxy::start(Cluster::shared(), &format!("{LISTENER}server_tls = {{ mode = 'prefer' }}"));
    assert_eq!(answer(&mut psql(prefer.port, "app", &[], SERVER_SSL)), "f");
}

/// They have a common name and nothing else, and where openssl is older, not even a version.
#[test]
fn certificates_that_were_made_as_the_manual_says_hold() {
    if direct() {
        return;
    }
    let office = Office::new();
    for (label, name) in [("server", "127.0.0.1"), ("else", "else.example"), ("app", "app")] {
        office.issue_by_openssl(label, name);
    }
    let cluster = encrypting_server(&office, "server", &[]);
    let client_tls = office.side("verify-full", Some("server"), Some(&office));
    let (cert, key, ca) = (office.text("app.crt"), office.text("app.key"), office.text("ca.crt"));
    let own = [("PGSSLMODE", "verify-ca"), ("PGSSLROOTCERT", &ca), ("PGSSLCERT", &cert), ("PGSSLKEY", &key)];
    for (mode, ca) in
        [("prefer", None), ("require", None), ("verify-ca", Some(&office)), ("verify-full", Some(&office))]
    {
        let tls = format!("client_tls = {client_tls}\nserver_tls = {}", office.side(mode, None, ca));
        let proxy =
            Proxy::start(&cluster, &format!("{LISTENER}login = 'query'\nauth = {{ user = 'postgres' }}\n{tls}"));
        assert_eq!(answer(&mut psql(proxy.port, "app", &own, SERVER_SSL)), "t", "{mode}");
        refusal(&mut psql(proxy.port, "md5_user", &own, "SELECT 1"));
        proxy.assert_all_zero();
    }
    let other = encrypting_server(&office, "else", &[]);
    let tls = office.side("verify-full", None, Some(&office));
    let proxy = Proxy::start(&other, &format!("{LISTENER}server_tls = {tls}"));
    let words = refusal(&mut psql(proxy.port, "app", &[], "SELECT 1"));
    assert!(words.contains("the TLS handshake failed"), "{words}");
    proxy.assert_all_zero();
}

#[test]
fn a_cancel_goes_to_the_server_encrypted() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("server", &["127.0.0.1"]);
    let cluster = encrypting_server(&office, "server", &[]);
    let tls = office.side("verify-full", None, Some(&office));
    let proxy = Proxy::start(&cluster, &format!("{LISTENER}server_tls = {tls}"));
    let mut client = Raw::login(proxy.port, "postgres", "app").unwrap_or_else(|error| panic!("{}", error.summary()));
    client.send(&raw::query("SELECT pg_sleep(30)"));
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'";
    assert!(wait_until(SOON, || cluster.sql("app", asleep) == "1"));
    let before = proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\""]);
    let (pid, secret) = client.key.clone().unwrap();
    let mut cancel = Raw::open(proxy.port);
    cancel.send(&raw::cancel_request(pid, &secret));
    assert_eq!(raw::sqlstates(&client.until(b"Z")), ["57014"]);
    assert_eq!(cancel.byte(), None);
    assert_eq!(proxy.metric("floodwall_tls_handshakes_total", &["side=\"server\""]), before + 1.0);
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    proxy.assert_all_zero();
}

#[test]
fn with_tls_on_both_sides_a_bound_login_needs_one_certificate() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("server", &["127.0.0.1", "localhost"]);
    office.issue("proxy", &["127.0.0.1", "localhost"]);
    let cluster = encrypting_server(&office, "server", &[]);
    let between = |label: &str| {
        let (client, server) = (office.side("require", Some(label), None), office.side("require", None, None));
        Proxy::start(&cluster, &format!("{LISTENER}client_tls = {client}\nserver_tls = {server}"))
    };
    let with = |binding: &'static str| [("PGSSLMODE", "require"), ("PGCHANNELBINDING", binding)];
    let differs = between("proxy");
    let told = refusal(&mut psql(differs.port, "app", &with("prefer"), "SELECT 1"));
    assert!(told.contains("FLOODWALL[rule=channel_binding]") && told.contains("channel_binding=disable"), "{told}");
    refusal(&mut psql(differs.port, "app", &with("require"), "SELECT 1"));
    assert_eq!(answer(&mut psql(differs.port, "app", &with("disable"), SERVER_SSL)), "t");
    differs.assert_all_zero();
    let same = between("server");
    for binding in ["require", "prefer", "disable"] {
        assert_eq!(answer(&mut psql(same.port, "app", &with(binding), SERVER_SSL)), "t", "{binding}");
    }
    same.assert_all_zero();
}

#[test]
fn the_monitor_takes_leave_of_an_encrypted_server() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("server", &["127.0.0.1"]);
    let cluster = encrypting_server(&office, "server", &[("log_disconnections", "on")]);
    let tls = office.side("verify-full", None, Some(&office));
    let proxy = Proxy::start(&cluster, &format!("{LISTENER}server_tls = {tls}"));
    assert_eq!(answer(&mut psql(proxy.port, "app", &[], "SELECT 1")), "1");
    let read = |log: &str| log.lines().any(|line| line.contains(" floodwall@app ") && line.contains("disconnection"));
    assert!(wait_until(SOON, || read(&cluster.log())), "{}", cluster.log());
    let log = cluster.log();
    assert!(!log.contains("SSL error") && !log.contains("could not receive data"), "{log}");
}

#[test]
fn the_monitor_dials_as_the_listener_does() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("server", &["127.0.0.1"]);
    let cluster = encrypting_server(&office, "server", &[("max_connections", "77")]);
    let tls = office.side("verify-full", None, Some(&office));
    let proxy = Proxy::start(&cluster, &format!("{LISTENER}server_tls = {tls}"));
    let ssl = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
               WHERE a.application_name = 'floodwall-monitor'";
    assert!(wait_until(SOON, || cluster.sql("postgres", ssl) == "t"), "{}", proxy.log());
}
