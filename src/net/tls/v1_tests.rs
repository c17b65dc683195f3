use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, SigningKey};
use rustls::pki_types::pem::PemObject;
use x509_parser::asn1_rs::Class;

use super::*;
use crate::config::{Tls, TlsMode, TlsProtocols, TlsSide};
use crate::net::tls::Live;
use crate::net::tls::tests::{Office, live, shake};

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// One element, in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match length {
        [0, short @ 0..128] => vec![short],
        [0, byte] => vec![0x81, byte],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag], &length[..], &content].concat()
}

/// What `openssl x509 -req` makes of the same names: it has neither a version nor extensions.
fn version_1(certificate: &CertificateDer<'_>, issuer: &KeyPair) -> Vec<u8> {
    let (mut fields, mut rest) = (Vec::new(), element(certificate, 0).unwrap());
    while !rest.is_empty() {
        let (behind, field) = Any::from_der(rest).unwrap();
        if field.class() != Class::ContextSpecific {
            fields.extend_from_slice(&rest[..rest.len() - behind.len()]);
        }
        rest = behind;
    }
    let signed = der(SEQUENCE, &[&fields]);
    let signature = issuer.sign(&signed).unwrap();
    let algorithm = der(SEQUENCE, &[element(certificate, 1).unwrap()]);
    der(SEQUENCE, &[&signed, &algorithm, &der(BIT_STRING, &[&[0], &signature])])
}

/// Issues one for this common name.
fn issue(office: &Office, name: &str, change: impl Fn(&mut CertificateParams)) -> TlsSide {
    issue_signed(office, name, change, office.key())
}

/// The same, signed by that key.
fn issue_signed(office: &Office, name: &str, change: impl Fn(&mut CertificateParams), key: &KeyPair) -> TlsSide {
    let side = office.issue(name, &[], change);
    let file = side.cert_file.as_ref().unwrap();
    let issued = version_1(&CertificateDer::from_pem_file(file).unwrap(), key);
    assert!(V1::read(&CertificateDer::from_slice(&issued)).is_some());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(issued));
    std::fs::write(file, pem).unwrap();
    side
}

fn expired(params: &mut CertificateParams) {
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
}

fn trusting(mode: TlsMode) -> TlsSide {
    TlsSide { mode, ..TlsSide::default() }
}

#[tokio::test]
async fn a_server_may_show_one_and_is_checked_as_with_any_other() {
    let (office, stranger) = (Office::new(), Office::new());
    let shown = || issue(&office, "db.example", |_| {});
    let ended = || issue(&office, "old.example", expired);
    let forged = || issue_signed(&office, "forged.example", |_| {}, stranger.key());
    let table = [
        (shown(), trusting(TlsMode::Require), "else.example", true),
        (shown(), trusting(TlsMode::Prefer), "else.example", true),
        (shown(), office.checks(TlsMode::VerifyCa), "else.example", true),
        (shown(), office.checks(TlsMode::VerifyFull), "db.example", true),
        (shown(), office.checks(TlsMode::VerifyFull), "DB.Example", true),
        (shown(), office.checks(TlsMode::VerifyFull), "else.example", false),
        (shown(), stranger.checks(TlsMode::VerifyCa), "db.example", false),
        (ended(), trusting(TlsMode::Require), "old.example", true),
        (ended(), office.checks(TlsMode::VerifyCa), "old.example", false),
        // Both offices have the same name, and not the same key.
        (forged(), office.checks(TlsMode::VerifyCa), "forged.example", false),
    ];
    for (number, (client, server, host, works)) in table.into_iter().enumerate() {
        for protocols in [TlsProtocols::Tls12, TlsProtocols::Tls13] {
            let server = TlsSide { protocols, ..server.clone() };
            let shaken = shake(&live(client.clone(), server), 4096, host).await;
            assert_eq!(shaken.is_ok(), works, "{number} {protocols:?}: {:?}", shaken.err());
        }
    }
}

#[tokio::test]
async fn one_that_ca_file_lists_itself_holds_for_its_common_name() {
    let office = Office::new();
    let shown = issue(&office, "db.example", |_| {});
    for (host, works) in [("db.example", true), ("else.example", false)] {
        let checks = TlsSide { ca_file: shown.cert_file.clone(), ..trusting(TlsMode::VerifyFull) };
        let shaken = shake(&live(shown.clone(), checks), 4096, host).await;
        assert_eq!(shaken.is_ok(), works, "{host}: {:?}", shaken.err());
    }
}

#[tokio::test]
async fn a_client_is_known_by_one() {
    let (office, stranger) = (Office::new(), Office::new());
    let shown =
        TlsSide { ca_file: Some(office.path("ca.pem")), mode: TlsMode::VerifyFull, ..issue(&office, "db", |_| {}) };
    for protocols in [TlsProtocols::Tls12, TlsProtocols::Tls13] {
        let own = TlsSide { protocols, ..issue(&office, "alice", |_| {}) };
        let (_client, server) = shake(&live(shown.clone(), own), 4096, "db").await.unwrap();
        assert_eq!(server.peer_identity().unwrap().common_name.as_deref(), Some("alice"));
    }
    for other in [issue(&stranger, "alice", |_| {}), issue(&office, "old", expired)] {
        let live = live(shown.clone(), other);
        let (near, far) = tokio::io::duplex(4096);
        let (acceptor, connector) = (live.client().unwrap(), live.server().unwrap());
        let (_client, server) = tokio::join!(connector.connect(near, "db"), acceptor.accept(far));
        assert!(server.is_err());
    }
}

#[test]
fn the_key_of_another_certificate_is_none_for_it() {
    let office = Office::new();
    let (one, other) = (issue(&office, "one", |_| {}), issue(&office, "other", |_| {}));
    let mixed = TlsSide { key_file: other.key_file, ..one };
    let why = Live::open(&Tls { client: mixed, server: TlsSide::default() }).unwrap_err().remove(0);
    assert!(why.to_string().contains("key_file holds the key of another certificate"), "{why}");
}

#[tokio::test]
async fn one_that_an_other_of_its_kind_has_signed_does_not_hold() {
    let office = Office::new();
    let middle = issue(&office, "middle", |_| {});
    let key = KeyPair::from_pem(&std::fs::read_to_string(middle.key_file.as_ref().unwrap()).unwrap()).unwrap();
    let leaf = issue_signed(&office, "db.example", |_| {}, &key);
    let (leaf_file, middle_file) = (leaf.cert_file.clone().unwrap(), middle.cert_file.unwrap());
    let chain = [leaf_file.clone(), middle_file].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    std::fs::write(leaf_file, chain).unwrap();
    assert!(shake(&live(leaf, office.checks(TlsMode::VerifyCa)), 4096, "db.example").await.is_err());
}
