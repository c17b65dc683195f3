//! How much of a client's certificate is looked at.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::material::{Material, Unusable};
use super::spoken::provider;
use super::v1::V1;

/// What the mode asks for; `None`: no certificate.
pub(super) fn verifier(material: &Material) -> Result<Option<Arc<dyn ClientCertVerifier>>, Unusable> {
    if !material.mode.verifies() {
        return Ok(None);
    }
    let (listed, roots) = material.authorities()?;
    let (provider, algorithms) = (provider(), provider().signature_verification_algorithms);
    let webpki = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let webpki = webpki.map_err(|error| material.unfit(&error))?;
    Ok(Some(Arc::new(Verifier { webpki, listed, algorithms })))
}

/// What webpki says, and for a certificate that it does not read, the same by our own hands.
#[derive(Debug)]
struct Verifier {
    webpki: Arc<dyn ClientCertVerifier>,
    /// As `ca_file` lists them.
    listed: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match V1::read(end_entity) {
            Some(v1) => v1.is_issued_by(&self.listed, now, &self.algorithms).map(|()| ClientCertVerified::assertion()),
            None => self.webpki.verify_client_cert(end_entity, intermediates, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match V1::read(cert) {
            Some(v1) => v1.has_signed_tls12(message, dss, &self.algorithms),
            None => self.webpki.verify_tls12_signature(message, cert, dss),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match V1::read(cert) {
            Some(v1) => v1.has_signed_tls13(message, dss, &self.algorithms),
            None => self.webpki.verify_tls13_signature(message, cert, dss),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }

    fn offer_client_auth(&self) -> bool {
        self.webpki.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.webpki.client_auth_mandatory()
    }
}
