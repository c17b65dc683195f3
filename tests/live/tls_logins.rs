//! Logins that Floodwall checks itself, over TLS: bound to their channels, by certificate, and told apart by `[[access]]`.

use std::net::TcpListener as Listener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::pki::Office;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw;
use crate::tls::{LISTENER, SERVER_SSL, answer, encrypting_server, psql, refusal};

/// A proxy that checks passwords by this file of users; `keys` is TOML behind those of the listener.
struct Own {
    proxy: Proxy,
    _folder: Scratch,
}

impl Own {
    fn new(cluster: &Cluster, users: &str, keys: &str) -> Self {
        let folder = Scratch::new("users");
        let file = folder.path().join("users.toml");
        std::fs::write(&file, users).unwrap();
        let overrides = format!("{LISTENER}login = 'users'\nusers_file = '{}'\n{keys}", file.display());
        Self { proxy: Proxy::start(cluster, &overrides), _folder: folder }
    }
}

fn users(cluster: &Cluster) -> String {
    let stored = cluster.sql("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
    format!(
        "[[user]]\nname = 'app'\nverifier = '{stored}'\n[[user]]\nname = 'md5_user'\npassword = 'md5-secret'\n\
         [[user]]\nname = 'floodwall'\npassword = 'monitor-secret'\n"
    )
}

/// Somebody in the way to a port, with a certificate of an authority that is trusted: both legs are encrypted, nothing is changed.
struct Between {
    port: u16,
    _runtime: Runtime,
}

impl Between {
    fn new(office: &Office, label: &str, target: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = Listener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        let (shown, trusted) = (shown(office, label), office.client(&["postgresql"]));
        runtime.spawn(async move {
            let socket = TcpListener::from_std(socket).unwrap();
            while let Ok((client, _)) = socket.accept().await {
                tokio::spawn(stand_between(client, target, Arc::clone(&shown), Arc::clone(&trusted)));
            }
        });
        Self { port, _runtime: runtime }
    }
}

fn shown(office: &Office, label: &str) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(office.path(&format!("{label}.crt"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(office.path(&format!("{label}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Arc::new(config)
}

async fn stand_between(mut client: TcpStream, target: u16, shown: Arc<ServerConfig>, trusted: Arc<ClientConfig>) {
    let mut request = [0; 8];
    client.read_exact(&mut request).await.unwrap();
    assert_eq!(request.to_vec(), raw::ssl_request());
    client.write_all(b"S").await.unwrap();
    let Ok(mut client) = TlsAcceptor::from(shown).accept(client).await else { return };
    let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
    server.write_all(&request).await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'S');
    let name = ServerName::try_from("localhost").unwrap();
    let mut server = TlsConnector::from(trusted).connect(name, server).await.unwrap();
    drop(copy_bidirectional(&mut client, &mut server).await);
}

/// An authority with certificates for a server, for a proxy and for somebody in between.
fn office() -> Office {
    let office = Office::new();
    for label in ["server", "proxy", "between"] {
        office.issue(label, &["127.0.0.1", "localhost"]);
    }
    office
}

const fn with(binding: &'static str) -> [(&'static str, &'static str); 2] {
    [("PGSSLMODE", "require"), ("PGCHANNELBINDING", binding)]
}

#[test]
fn logins_are_bound_to_the_channel_on_both_sides() {
    if direct() {
        return;
    }
    let office = office();
    let cluster = encrypting_server(&office, "server", &[]);
    let (client, server) =
        (office.side("require", Some("proxy"), None), office.side("verify-full", None, Some(&office)));
    let keys = format!("client_tls = {client}\nserver_tls = {server}");
    let own = Own::new(&cluster, &users(&cluster), &keys);
    for binding in ["require", "prefer", "disable"] {
        assert_eq!(answer(&mut psql(own.proxy.port, "app", &with(binding), SERVER_SSL)), "t", "{binding}");
    }
    let mut known = psql(own.proxy.port, "floodwall", &with("require"), SERVER_SSL);
    assert_eq!(answer(known.env("PGPASSWORD", "monitor-secret")), "t", "a password serves as well as a verifier");
    let told = refusal(psql(own.proxy.port, "app", &with("require"), "SELECT 1").env("PGPASSWORD", "wrong"));
    assert!(told.contains("password authentication failed"), "{told}");
    own.proxy.assert_all_zero();
}

#[test]
fn whoever_stands_between_client_and_proxy_is_found_out() {
    if direct() {
        return;
    }
    let office = office();
    let cluster = Cluster::shared();
    let keys = format!("client_tls = {}", office.side("require", Some("proxy"), None));
    let own = Own::new(cluster, &users(cluster), &keys);
    let between = Between::new(&office, "between", own.proxy.port);
    assert_eq!(answer(&mut psql(between.port, "app", &with("disable"), "SELECT 1")), "1", "it does pass everything on");
    for binding in ["prefer", "require"] {
        let told = refusal(&mut psql(between.port, "app", &with(binding), "SELECT 1"));
        assert!(told.contains("password authentication failed"), "{binding}: {told}");
    }
    assert!(wait_until(SOON, || own.proxy.log().contains("it is bound to another TLS channel")), "{}", own.proxy.log());
    assert_eq!(answer(&mut psql(own.proxy.port, "app", &with("require"), "SELECT 2")), "2");
    own.proxy.assert_all_zero();
}

#[test]
fn whoever_stands_between_proxy_and_server_is_found_out() {
    if direct() {
        return;
    }
    let office = office();
    let cluster = encrypting_server(&office, "server", &[]);
    let between = Between::new(&office, "between", cluster.port);
    assert_eq!(answer(&mut psql(between.port, "app", &with("disable"), "SELECT 1")), "1", "it does pass everything on");
    // Nobody looks at its certificate, and it would hold if somebody did.
    let keys = format!("servers = ['127.0.0.1:{}']\nserver_tls = {}", between.port, office.side("require", None, None));
    let own = Own::new(&cluster, &users(&cluster), &keys);
    let told = refusal(&mut psql(own.proxy.port, "app", &[], "SELECT 1"));
    assert!(told.contains("FLOODWALL[rule=server_login]") && told.contains("channel binding"), "{told}");
    own.proxy.assert_all_zero();
    // Nor does it get to hear any verifier.
    let asking = format!("{LISTENER}login = 'query'\n{keys}");
    let asking = Proxy::start(&cluster, &asking);
    let told = refusal(&mut psql(asking.port, "app", &[], "SELECT 1"));
    assert!(told.contains("could not be asked how this user logs in"), "{told}");
    let unheard = |line: &str| line.contains("auth_query failed") && line.contains("channel binding");
    assert!(wait_until(SOON, || asking.log().lines().any(unheard)), "{}", asking.log());
    asking.assert_all_zero();
    // A login that is relayed in plain binds to nothing, so the way itself is open.
    let keys = format!("{LISTENER}{keys}");
    let relayed = Proxy::start(&cluster, &keys);
    assert_eq!(answer(&mut psql(relayed.port, "app", &[], SERVER_SSL)), "t");
    relayed.assert_all_zero();
}

#[test]
fn a_certificate_is_a_login() {
    if direct() {
        return;
    }
    let office = office();
    office.issue("md5_user", &[]);
    office.issue("other", &["floodwall"]);
    let cluster = Cluster::shared();
    let keys = format!(
        "client_tls = {}\n[[access]]\nuser = 'app'\nmethod = 'scram'\n[[access]]\nmethod = 'cert'",
        office.side("verify-ca", Some("proxy"), Some(&office))
    );
    let own = Own::new(cluster, &users(cluster), &keys);
    let enter = |user: &str, label: &str, password: &str| {
        let (cert, key) = (office.text(&format!("{label}.crt")), office.text(&format!("{label}.key")));
        let settings = [("PGSSLMODE", "require"), ("PGSSLCERT", cert.as_str()), ("PGSSLKEY", key.as_str())];
        let mut psql = psql(own.proxy.port, user, &settings, "SELECT current_user");
        psql.env("PGPASSWORD", password).env("PGDATABASE", "postgres");
        psql
    };
    assert_eq!(answer(&mut enter("md5_user", "md5_user", "")), "md5_user");
    assert_eq!(answer(&mut enter("floodwall", "other", "")), "floodwall", "by an alternative name");
    assert_eq!(answer(&mut enter("app", "other", "app-secret")), "app", "whose entry asks for a password");
    for (user, label) in [("md5_user", "other"), ("floodwall", "md5_user"), ("app", "md5_user")] {
        let told = refusal(&mut enter(user, label, "wrong"));
        assert!(told.contains("password authentication failed"), "{user}: {told}");
    }
    assert!(wait_until(SOON, || own.proxy.log().contains("its certificate is of another name")), "{}", own.proxy.log());
    own.proxy.assert_all_zero();
}

#[test]
fn an_entry_of_access_tells_encrypted_connections_from_others() {
    if direct() {
        return;
    }
    let office = office();
    let cluster = Cluster::shared();
    let keys = format!(
        "client_tls = {}\n[[access]]\ntls = true\nmethod = 'scram'\n[[access]]\nuser = 'floodwall'\nmethod = 'scram'",
        office.side("prefer", Some("proxy"), None)
    );
    let own = Own::new(cluster, &users(cluster), &keys);
    let (plain, encrypted) = ([("PGSSLMODE", "disable")], [("PGSSLMODE", "require")]);
    assert_eq!(answer(&mut psql(own.proxy.port, "app", &encrypted, "SELECT 1")), "1");
    let told = refusal(&mut psql(own.proxy.port, "app", &plain, "SELECT 1"));
    assert!(told.contains("FLOODWALL[rule=access]") && told.contains("from this address, no encryption"), "{told}");
    let mut excepted = psql(own.proxy.port, "floodwall", &plain, "SELECT 2");
    assert_eq!(answer(excepted.env("PGPASSWORD", "monitor-secret")), "2");
    own.proxy.assert_all_zero();
}

#[test]
fn verifiers_are_asked_for_and_several_servers_probed_over_tls() {
    if direct() {
        return;
    }
    let office = office();
    let cluster = encrypting_server(&office, "server", &[]);
    let tls = office.side("verify-full", None, Some(&office));
    // The second one has no TLS, so nobody looks further.
    let servers = format!("['127.0.0.1:{}', '127.0.0.1:{}']", cluster.port, Cluster::shared().port);
    let keys = format!(
        "login = 'query'\nauth = {{ user = 'postgres' }}\nservers = {servers}\nserver_check_interval = '200ms'\nserver_tls = {tls}"
    );
    let proxy = Proxy::start(&cluster, &format!("{LISTENER}{keys}"));
    assert_eq!(answer(&mut psql(proxy.port, "app", &[], SERVER_SSL)), "t");
    let ssl = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name LIKE 'floodwall%'";
    assert_eq!(cluster.sql("postgres", ssl), "t");
    let told = || {
        let rows = proxy.console("SHOW NODES").unwrap();
        rows.iter().map(|row| (row["state"].clone(), row["role"].clone())).collect::<Vec<_>>()
    };
    let expected = [("up", "primary"), ("down", "unknown")].map(|(state, role)| (state.to_owned(), role.to_owned()));
    assert!(wait_until(SOON, || told() == expected), "{:?}", told());
    proxy.assert_all_zero();
}
