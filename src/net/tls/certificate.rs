//! What is read of a certificate beside its signature, which `rustls` checks.

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_MD5WITHRSAENC,
    OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, Oid,
};
use x509_parser::parse_x509_certificate;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Names that a peer's certificate gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Common name of the subject; the last one where it has several.
    pub common_name: Option<String>,
    /// DNS names and mail addresses of the subject's alternative names.
    pub alternative_names: Vec<String>,
}

impl Identity {
    /// Is one of the names this user, letter by letter?
    pub fn is(&self, user: &[u8]) -> bool {
        let names = self.common_name.iter().chain(&self.alternative_names);
        names.into_iter().any(|name| !name.is_empty() && name.as_bytes() == user)
    }

    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Some(parsed) = parse(certificate) else { return Self::default() };
        let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok()).last();
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|extension| &extension.value.general_names);
        let text = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => Some((*text).to_owned()),
            _ => None,
        };
        Self { common_name: common.map(str::to_owned), alternative_names: names.filter_map(text).collect() }
    }
}

/// From when to when a certificate holds, in seconds since 1970.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let parsed = parse(certificate)?;
    let validity = parsed.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// Fails before and after that time.
pub(super) fn holds_at(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match validity(certificate) {
        Some((from, _)) if now < from => Err(CertificateError::NotValidYet.into()),
        Some((_, to)) if now > to => Err(CertificateError::Expired.into()),
        Some(_) => Ok(()),
        None => Err(CertificateError::BadEncoding.into()),
    }
}

/// Is it for that host by its common name? Only where it has no alternative names, as libpq has it (PostgreSQL manual, "SSL Client
/// Certificates"). `*.` stands for one label.
pub(super) fn is_commonly_named(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    let Some(parsed) = parse(certificate) else { return false };
    if !matches!(parsed.subject_alternative_name(), Ok(None)) {
        return false;
    }
    let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok()).last();
    common.is_some_and(|common| is_for(common, host))
}

fn is_for(common: &str, host: &ServerName<'_>) -> bool {
    let host_text = host.to_str();
    let behind_label = match (common.strip_prefix("*."), host) {
        (Some(domain), ServerName::DnsName(_)) => host_text.split_once('.').map(|(_, rest)| (domain, rest)),
        _ => None,
    };
    match behind_label {
        Some((domain, rest)) => domain.eq_ignore_ascii_case(rest),
        None => common.eq_ignore_ascii_case(&host_text),
    }
}

/// The `tls-server-end-point` binding of a certificate: its hash by the function of its signature, SHA-256 in place of MD5 and SHA-1
/// (RFC 5929, 4.1). `None` where the signature has no such function, as Ed25519: then PostgreSQL offers no binding either.
pub fn channel_binding(certificate: &CertificateDer<'_>) -> Option<Box<[u8]>> {
    let parsed = parse(certificate)?;
    let hash = hash_of(&parsed)?;
    Some(match hash {
        Hash::Sha256 => Sha256::digest(certificate).as_slice().into(),
        Hash::Sha384 => Sha384::digest(certificate).as_slice().into(),
        Hash::Sha512 => Sha512::digest(certificate).as_slice().into(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn hash_of(certificate: &X509Certificate<'_>) -> Option<Hash> {
    let algorithm = &certificate.signature_algorithm;
    if let Ok(SignatureAlgorithm::RSASSA_PSS(params)) = SignatureAlgorithm::try_from(algorithm) {
        return hash_named(params.hash_algorithm_oid());
    }
    hash_named(&algorithm.algorithm)
}

fn hash_named(oid: &Oid<'_>) -> Option<Hash> {
    let table = [
        (OID_PKCS1_MD5WITHRSAENC, Hash::Sha256),
        (OID_PKCS1_SHA1WITHRSA, Hash::Sha256),
        (OID_HASH_SHA1, Hash::Sha256),
        (OID_PKCS1_SHA256WITHRSA, Hash::Sha256),
        (OID_SIG_ECDSA_WITH_SHA256, Hash::Sha256),
        (OID_NIST_HASH_SHA256, Hash::Sha256),
        (OID_PKCS1_SHA384WITHRSA, Hash::Sha384),
        (OID_SIG_ECDSA_WITH_SHA384, Hash::Sha384),
        (OID_NIST_HASH_SHA384, Hash::Sha384),
        (OID_PKCS1_SHA512WITHRSA, Hash::Sha512),
        (OID_SIG_ECDSA_WITH_SHA512, Hash::Sha512),
        (OID_NIST_HASH_SHA512, Hash::Sha512),
    ];
    table.iter().find(|(known, _)| known == oid).map(|(_, hash)| *hash)
}

/// `None` where it is no certificate.
pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    parse_x509_certificate(certificate).ok().map(|(_, parsed)| parsed)
}
