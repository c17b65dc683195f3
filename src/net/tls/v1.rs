//! Certificates of X.509 version 1, which `webpki` does not read.
//!
//! They are what `openssl x509 -req` issues where nobody gives it extensions, as the PostgreSQL manual has it ("Creating Certificates"), so many a
//! server shows one. Here is what is checked of one: the signature of the handshake, by its key; whether an authority of `ca_file` has signed it,
//! without another in between; and its time. It names its holder by the common name alone, and is never taken for an authority.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};
use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use super::certificate::{holds_at, parse};

/// A certificate of version 1.
pub(super) struct V1<'a> {
    der: &'a CertificateDer<'a>,
    parsed: X509Certificate<'a>,
}

impl<'a> V1<'a> {
    /// `None` for any other version, and for what is no certificate.
    pub(super) fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let parsed = parse(der).filter(|parsed| parsed.version() == X509Version::V1)?;
        Some(Self { der, parsed })
    }

    /// Its public key, as it stands there.
    pub(super) fn key(&self) -> SubjectPublicKeyInfoDer<'_> {
        self.parsed.public_key().raw.into()
    }

    /// Was the handshake of TLS 1.2 signed by its key?
    pub(super) fn has_signed_tls12(
        &self,
        message: &[u8],
        dss: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let fitting = algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let (_, fitting) = fitting.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let key = self.parsed.public_key();
        if fitting.iter().any(|algorithm| verifies(*algorithm, key, message, dss.signature())) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }

    /// The same of TLS 1.3.
    pub(super) fn has_signed_tls13(
        &self,
        message: &[u8],
        dss: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &self.key(), dss, algorithms)
    }

    /// Has one of these signed it, and do both hold at this time?
    pub(super) fn is_issued_by(
        &self,
        authorities: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let issuer = authorities.iter().find(|authority| self.is_signed_by(authority, algorithms) == Some(true));
        holds_at(issuer.ok_or(CertificateError::UnknownIssuer)?, now)?;
        holds_at(self.der, now)
    }

    fn is_signed_by(&self, authority: &CertificateDer<'_>, algorithms: &WebPkiSupportedAlgorithms) -> Option<bool> {
        let authority = parse(authority)?;
        if authority.subject().as_raw() != self.parsed.issuer().as_raw() {
            return Some(false);
        }
        // Certificate: what is signed, the algorithm, the signature (RFC 5280, 4.1).
        let algorithm = element(self.der, 1)?;
        let mut known = algorithms.all.iter().filter(|known| known.signature_alg_id().as_ref() == algorithm);
        let (signed, signature) = (self.parsed.tbs_certificate.as_ref(), &self.parsed.signature_value.data);
        Some(known.any(|known| verifies(*known, authority.public_key(), signed, signature)))
    }
}

fn verifies(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &SubjectPublicKeyInfo<'_>,
    message: &[u8],
    signature: &[u8],
) -> bool {
    // SubjectPublicKeyInfo: the algorithm, the key.
    element(key.raw, 0) == Some(algorithm.public_key_alg_id().as_ref())
        && algorithm.verify_signature(&key.subject_public_key.data, message, signature).is_ok()
}

/// What the element of that number in a sequence holds, in DER.
fn element(sequence: &[u8], number: usize) -> Option<&[u8]> {
    let (_, sequence) = Any::from_der(sequence).ok()?;
    let mut rest = sequence.data;
    for _ in 0..number {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    Any::from_der(rest).ok().map(|(_, element)| element.data)
}

#[cfg(test)]
#[path = "v1_tests.rs"]
mod tests;
