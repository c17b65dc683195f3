use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::Poll;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use super::certificate::Identity;
use super::{Connector, Live, Socket, channel_binding};
use crate::config::{Tls, TlsMode, TlsSide};
use rustls::pki_types::CertificateDer;

/// A folder with an authority of its own.
pub(super) struct Office {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Office {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What it signs with.
    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// Issues `LABEL.crt` and `LABEL.key` for names; `change` has the last word.
    pub(super) fn issue(&self, label: &str, names: &[&str], change: impl Fn(&mut CertificateParams)) -> TlsSide {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, label);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) = (self.path(&format!("{label}.crt")), self.path(&format!("{label}.key")));
        std::fs::write(&cert_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        TlsSide { mode: TlsMode::Require, cert_file: Some(cert_file), key_file: Some(key_file), ..TlsSide::default() }
    }

    /// Checks servers against this authority.
    pub(super) fn checks(&self, mode: TlsMode) -> TlsSide {
        TlsSide { mode, ca_file: Some(self.path("ca.pem")), ..TlsSide::default() }
    }
}

pub(super) fn live(client: TlsSide, server: TlsSide) -> Live {
    Live::open(&Tls { client, server }).unwrap()
}

/// A handshake over a pipe of so many bytes: the client's end, and the server's.
pub(super) async fn shake(
    live: &Live,
    room: usize,
    host: &str,
) -> Result<(Socket<DuplexStream>, Socket<DuplexStream>), String> {
    let (near, far) = duplex(room);
    let (acceptor, connector) = (live.client().unwrap(), live.server().unwrap());
    let (client, server) = tokio::join!(connector.connect(near, host), acceptor.accept(far));
    match (client, server) {
        (Ok(client), Ok(server)) => Ok((client, server)),
        (client, server) => Err(format!("{:?} {:?}", client.err(), server.err())),
    }
}

#[tokio::test]
async fn each_mode_checks_what_it_says() {
    let (office, other) = (Office::new(), Office::new());
    let shown = || office.issue("server", &["db.example", "127.0.0.1"], |_| {});
    let expired = || office.issue("old", &["db.example"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let table = [
        (shown(), office.checks(TlsMode::VerifyFull), "db.example", true),
        (shown(), office.checks(TlsMode::VerifyFull), "127.0.0.1", true),
        (shown(), office.checks(TlsMode::VerifyFull), "else.example", false),
        (shown(), office.checks(TlsMode::VerifyCa), "else.example", true),
        (shown(), other.checks(TlsMode::VerifyCa), "db.example", false),
        (shown(), other.checks(TlsMode::VerifyFull), "db.example", false),
        (shown(), TlsSide { mode: TlsMode::Require, ..TlsSide::default() }, "else.example", true),
        (shown(), TlsSide { mode: TlsMode::Prefer, ..TlsSide::default() }, "else.example", true),
        (expired(), office.checks(TlsMode::VerifyCa), "db.example", false),
        (expired(), TlsSide { mode: TlsMode::Require, ..TlsSide::default() }, "db.example", true),
    ];
    for (number, (client, server, host, works)) in table.into_iter().enumerate() {
        let shaken = shake(&live(client, server), 4096, host).await;
        assert_eq!(shaken.is_ok(), works, "{number}: {:?}", shaken.err());
    }
}

#[tokio::test]
async fn a_server_is_named_by_the_common_name_where_its_certificate_has_no_other() {
    let office = Office::new();
    let table = [
        ("db.example", &[][..], "db.example", true),
        ("db.example", &[], "else.example", false),
        ("*.example", &[], "db.example", true),
        ("*.example", &[], "a.db.example", false),
        ("*.example", &[], "example", false),
        ("127.0.0.1", &[], "127.0.0.1", true),
        ("*.0.0.1", &[], "127.0.0.1", false),
        // Where there are alternative names, the common one says nothing.
        ("db.example", &["else.example"], "db.example", false),
        ("db.example", &["127.0.0.1"], "db.example", false),
    ];
    for (common, names, host, works) in table {
        let server = office.issue(common, names, |_| {});
        let shaken = shake(&live(server, office.checks(TlsMode::VerifyFull)), 4096, host).await;
        assert_eq!(shaken.is_ok(), works, "{common} {names:?} {host}: {:?}", shaken.err());
    }
}

#[tokio::test]
async fn a_certificate_that_is_listed_itself_holds_as_long_as_its_name_and_time_do() {
    let office = Office::new();
    let own = |label: &str, change: fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        // As `openssl req -x509` makes them.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let (cert_file, key_file) = (office.path(&format!("{label}.crt")), office.path(&format!("{label}.key")));
        std::fs::write(&cert_file, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let side = TlsSide {
            mode: TlsMode::Require,
            cert_file: Some(cert_file),
            key_file: Some(key_file),
            ..TlsSide::default()
        };
        let checks = |mode| TlsSide { mode, ca_file: side.cert_file.clone(), ..TlsSide::default() };
        (side.clone(), checks(TlsMode::VerifyCa), checks(TlsMode::VerifyFull))
    };
    let (side, ca, full) = own("own", |_| {});
    assert!(shake(&live(side.clone(), full.clone()), 4096, "db.example").await.is_ok());
    assert!(shake(&live(side.clone(), ca), 4096, "else.example").await.is_ok());
    assert!(shake(&live(side.clone(), full.clone()), 4096, "else.example").await.is_err());
    let (expired, ca, _) = own("expired", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    assert!(shake(&live(expired, ca), 4096, "db.example").await.is_err());
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_and_turned_away_without() {
    let office = Office::new();
    let mut shown = office.issue("server", &["db.example"], |_| {});
    (shown.mode, shown.ca_file) = (TlsMode::VerifyFull, Some(office.path("ca.pem")));
    let mut own = office.issue("alice", &["carol"], |_| {});
    (own.mode, own.ca_file) = (TlsMode::VerifyFull, Some(office.path("ca.pem")));
    let (_client, server) = shake(&live(shown.clone(), own), 4096, "db.example").await.unwrap();
    let identity = server.peer_identity().unwrap();
    assert_eq!(identity.common_name.as_deref(), Some("alice"));
    for (user, is) in [("alice", true), ("carol", true), ("bob", false), ("", false), ("Alice", false)] {
        assert_eq!(identity.is(user.as_bytes()), is, "{user}");
    }
    assert!(!Identity::default().is(b""), "no name is nobody's");
    // In TLS 1.3 the client is through before the server has looked at its certificate, or at its lack.
    let stranger = Office::new();
    let other = stranger.issue("alice", &[], |_| {});
    for side in [office.checks(TlsMode::VerifyFull), other] {
        assert!(shake(&live(shown.clone(), side), 4096, "db.example").await.is_err());
    }
}

#[tokio::test]
async fn both_ends_see_one_binding_and_somebody_in_between_makes_two() {
    let office = Office::new();
    let server = office.issue("server", &["db.example"], |_| {});
    let (near, far) =
        shake(&live(server.clone(), office.checks(TlsMode::VerifyFull)), 4096, "db.example").await.unwrap();
    assert_eq!(near.channel_binding().map(<[u8]>::len), Some(32));
    assert_eq!(near.channel_binding(), far.channel_binding());
    // Somebody with a certificate of his own, as good as the first.
    let middle = office.issue("middle", &["db.example"], |_| {});
    let (near, _) = shake(&live(middle, office.checks(TlsMode::VerifyFull)), 4096, "db.example").await.unwrap();
    assert_ne!(near.channel_binding(), far.channel_binding());
}

#[test]
fn a_binding_is_the_hash_that_the_signature_names() {
    for (algorithm, length) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
        (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
        (&rcgen::PKCS_ED25519, None),
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert_eq!(channel_binding(certificate.der()).map(|hash| hash.len()), length);
    }
    assert_eq!(channel_binding(&CertificateDer::from(&b"no certificate"[..])), None);
}

#[tokio::test]
async fn a_second_session_is_resumed_with_the_same_binding_and_identity() {
    let office = Office::new();
    let mut shown = office.issue("server", &["db.example"], |_| {});
    (shown.mode, shown.ca_file) = (TlsMode::VerifyCa, Some(office.path("ca.pem")));
    let own = office.issue("alice", &[], |_| {});
    let live = live(shown, own);
    let mut bindings = Vec::new();
    for resumed in [false, true] {
        let (mut near, mut far) = shake(&live, 4096, "db.example").await.unwrap();
        // The ticket comes after the handshake, before the first byte.
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'x');
        assert_eq!((near.resumed(), far.resumed()), (resumed, resumed));
        assert_eq!(far.peer_identity().and_then(|identity| identity.common_name.as_deref()), Some("alice"));
        bindings.extend([near.channel_binding().map(<[u8]>::to_vec), far.channel_binding().map(<[u8]>::to_vec)]);
    }
    assert!(bindings.iter().all(|binding| binding.is_some() && *binding == bindings[0]));
}

#[tokio::test]
async fn new_files_take_effect_and_broken_ones_do_not() {
    let office = Office::new();
    let tls =
        Tls { client: office.issue("server", &["db.example"], |_| {}), server: office.checks(TlsMode::VerifyFull) };
    let live = Live::open(&tls).unwrap();
    let seen = async || shake(&live, 4096, "db.example").await.unwrap().0.channel_binding().map(<[u8]>::to_vec);
    let first = seen().await;
    let before = live.client().unwrap();
    assert!(live.reload(&tls).is_empty());
    assert!(std::sync::Arc::ptr_eq(&before, &live.client().unwrap()), "the same files are the same side");

    office.issue("server", &["db.example"], |_| {});
    assert!(live.reload(&tls).is_empty());
    let second = seen().await;
    assert_ne!(first, second);

    // Another pair's key, no certificate at all, no file.
    let other = office.issue("other", &["db.example"], |_| {});
    let good = std::fs::read(office.path("server.crt")).unwrap();
    std::fs::copy(other.cert_file.as_deref().unwrap(), office.path("server.crt")).unwrap();
    assert_eq!(live.reload(&tls).len(), 1);
    assert_eq!(seen().await, second);
    std::fs::write(office.path("server.crt"), "nothing").unwrap();
    assert_eq!(live.reload(&tls).len(), 1);
    std::fs::remove_file(office.path("server.crt")).unwrap();
    assert_eq!(live.reload(&tls).len(), 1);
    assert_eq!(seen().await, second);

    std::fs::write(office.path("server.crt"), &good).unwrap();
    assert!(live.reload(&tls).is_empty());
    assert_eq!(seen().await, second);
    assert_eq!(live.expiries().iter().map(|expiry| expiry.side).collect::<Vec<_>>(), ["client"]);
    assert!(live.reload(&Tls::default()).is_empty());
    assert!(live.client().is_none() && live.server().is_none());
}

/// One that somebody writes at this moment, and one that has ended already: neither takes the place of one that holds.
#[test]
fn half_a_file_and_a_certificate_that_has_ended_replace_nothing() {
    let office = Office::new();
    let tls = Tls { client: office.issue("server", &["db.example"], |_| {}), server: TlsSide::default() };
    let live = Live::open(&tls).unwrap();
    let (before, path) = (live.client().unwrap(), office.path("server.crt"));
    let told =
        |live: &Live| live.reload(&tls).iter().map(|wrong| format!("{} {}", wrong.key, wrong.why)).collect::<Vec<_>>();
    let good = std::fs::read(&path).unwrap();
    let chain = [&good[..], &good[..good.len() / 2]].concat();
    for half in [&good[..good.len() / 2], &chain] {
        std::fs::write(&path, half).unwrap();
        assert_eq!(told(&live), ["cert_file a certificate in it is cut off or damaged"]);
    }
    std::fs::write(&path, "").unwrap();
    assert_eq!(told(&live), ["cert_file no certificate in PEM form"]);
    office.issue("server", &["db.example"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    assert_eq!(told(&live), ["cert_file the certificate has expired, and the one in force has not"]);
    assert!(std::sync::Arc::ptr_eq(&before, &live.client().unwrap()));
    // Where there is none that holds, it is shown: some peers do not look at the time.
    let live = Live::open(&tls).unwrap();
    office.issue("server", &["db.example"], |params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    assert!(live.reload(&tls).is_empty());
}

#[test]
fn files_that_can_not_be_used_are_named_at_the_start() {
    let office = Office::new();
    let good = office.issue("server", &["db.example"], |_| {});
    let with = |cert: &str, key: &str| TlsSide {
        cert_file: Some(office.path(cert)),
        key_file: Some(office.path(key)),
        ..good.clone()
    };
    office.issue("other", &[], |_| {});
    std::fs::write(office.path("empty"), "").unwrap();
    let table = [
        (with("none", "server.key"), "none: "),
        (with("empty", "server.key"), "empty: no certificate in PEM form"),
        (with("server.crt", "empty"), "empty: no private key in PEM form"),
        (with("server.crt", "other.key"), "server.crt: key_file holds the key of another certificate"),
    ];
    for (client, told) in table {
        let errors = Live::open(&Tls { client, server: TlsSide::default() }).unwrap_err();
        assert!(errors[0].to_string().contains(told), "{}", errors[0]);
        assert!(!errors[0].to_string().contains("PRIVATE"));
    }
    assert!(Path::new(&office.path("server.key")).exists());
}

/// Writes as the relay does: what is not taken is kept, and never is there a flush.
async fn relay(socket: &mut Socket<DuplexStream>, bytes: &[u8], turn: usize) {
    let mut sent = 0;
    std::future::poll_fn(|cx| {
        while sent < bytes.len() {
            let end = bytes.len().min(sent + turn);
            match Pin::new(&mut *socket).poll_write(cx, &bytes[sent..end]) {
                Poll::Ready(count) => sent += count.unwrap(),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    })
    .await;
}

async fn collect(socket: &mut Socket<DuplexStream>, expected: usize, portion: usize) -> Vec<u8> {
    let (mut got, mut buffer) = (Vec::new(), vec![0; portion]);
    while got.len() < expected {
        let mut room = ReadBuf::new(&mut buffer);
        std::future::poll_fn(|cx| Pin::new(&mut *socket).poll_read(cx, &mut room)).await.unwrap();
        assert!(!room.filled().is_empty(), "ended after {} of {expected}", got.len());
        got.extend_from_slice(room.filled());
    }
    got
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What a writer was told is written arrives, though nobody flushes, whatever the pipe holds: at least the ticket of some 200 bytes
    /// that the handshake ends with at the server, since a client that is through with it need not read yet.
    #[test]
    fn bytes_arrive_as_they_were_written(
        room in 300_usize..40_000,
        turn in 1_usize..200_000,
        portion in 1_usize..70_000,
        sizes in proptest::collection::vec(0_usize..60_000, 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let office = Office::new();
            let live = live(office.issue("server", &["db.example"], |_| {}), office.checks(TlsMode::VerifyFull));
            let (mut near, mut far) = shake(&live, room, "db.example").await.unwrap();
            for size in sizes {
                let sent: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
                // Bounds the number of turns, not what is tested.
                let turn = turn.max(size / 500).max(1);
                let portion = portion.max(size / 500).max(1);
                let (_, got) = tokio::join!(relay(&mut near, &sent, turn), collect(&mut far, size, portion));
                assert_eq!(got, sent);
                let (_, got) = tokio::join!(relay(&mut far, &sent, turn), collect(&mut near, size, portion));
                assert_eq!(got, sent);
            }
        });
    }
}

#[tokio::test]
async fn a_write_is_pending_until_the_pipe_has_all_of_it() {
    let office = Office::new();
    let live = live(office.issue("server", &["db.example"], |_| {}), office.checks(TlsMode::VerifyFull));
    let (mut near, mut far) = shake(&live, 4096, "db.example").await.unwrap();
    let bytes = vec![7; 10_000];
    let write = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut near).poll_write(cx, &bytes)));
    assert!(write.await.is_pending(), "the pipe holds 4096 bytes");
    let (_, got) = tokio::join!(relay(&mut near, &bytes, 3), collect(&mut far, bytes.len(), 100));
    assert_eq!(got, bytes, "what was taken before is not sent again");
}

#[tokio::test]
async fn a_goodbye_carries_what_was_pending_and_reading_goes_on() {
    let office = Office::new();
    let live = live(office.issue("server", &["db.example"], |_| {}), office.checks(TlsMode::VerifyFull));
    let (mut near, mut far) = shake(&live, 512, "db.example").await.unwrap();
    let bytes = vec![7; 2_000];
    let write = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut near).poll_write(cx, &bytes)));
    assert!(write.await.is_pending());
    let mut got = Vec::new();
    let (shut, read) = tokio::join!(near.shutdown(), far.read_to_end(&mut got));
    assert!(shut.is_ok() && read.is_ok());
    assert_eq!(got, bytes);
    far.write_all(b"and you").await.unwrap();
    far.shutdown().await.unwrap();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"and you");
}

#[tokio::test]
async fn a_peer_that_goes_without_a_goodbye_is_no_end_of_data() {
    let office = Office::new();
    let live = live(office.issue("server", &["db.example"], |_| {}), office.checks(TlsMode::VerifyFull));
    let (near, mut far) = shake(&live, 4096, "db.example").await.unwrap();
    drop(near);
    assert!(far.read_to_end(&mut Vec::new()).await.is_err());
}

#[test]
fn what_is_shown_of_them_holds_no_key() {
    let office = Office::new();
    let live = live(office.issue("server", &["db.example"], |_| {}), office.checks(TlsMode::VerifyFull));
    let shown = format!("{live:?}");
    assert!(shown.len() < 1000 && !shown.contains("key"), "{shown}");
    assert_eq!(live.server().as_deref().map(Connector::mode), Some(TlsMode::VerifyFull));
}
