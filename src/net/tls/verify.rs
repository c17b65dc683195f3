//! How much of a server's certificate is looked at.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::{holds_at, is_commonly_named};
use super::material::{Material, Unusable};
use super::spoken::provider;
use super::v1::V1;
use crate::config::TlsMode;

/// What the mode asks for.
pub(super) fn verifier(material: &Material) -> Result<Arc<dyn ServerCertVerifier>, Unusable> {
    let provider = provider();
    if !material.mode.verifies() {
        return Ok(Arc::new(Verifier { provider, chain: None }));
    }
    let (listed, roots) = material.authorities()?;
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let webpki = webpki.map_err(|error| material.unfit(&error))?;
    let chain = Chain { webpki, listed, named: material.mode == TlsMode::VerifyFull };
    Ok(Arc::new(Verifier { provider, chain: Some(chain) }))
}

/// Signatures of the handshake are always checked: the server holds the key of the certificate that it shows.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: any certificate will do.
    chain: Option<Chain>,
}

#[derive(Debug)]
struct Chain {
    webpki: Arc<WebPkiServerVerifier>,
    /// As `ca_file` lists them.
    listed: Vec<CertificateDer<'static>>,
    /// Must the certificate be for the host that was dialled?
    named: bool,
}

impl Verifier {
    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Ok(verified) => return Ok(verified),
            Err(error) if is_of_name_alone(&error) => {}
            // libpq takes the very certificate that `ca_file` lists, as `openssl req -x509` makes them; webpki does not, since it is an
            // authority's.
            Err(_) if chain.listed.iter().any(|listed| listed == end_entity) => holds_at(end_entity, now)?,
            Err(error) => V1::read(end_entity).ok_or(error)?.is_issued_by(&chain.listed, now, self.algorithms())?,
        }
        chain.check_name(end_entity, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match V1::read(cert) {
            Some(v1) => v1.has_signed_tls12(message, dss, self.algorithms()),
            None => verify_tls12_signature(message, cert, dss, self.algorithms()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match V1::read(cert) {
            Some(v1) => v1.has_signed_tls13(message, dss, self.algorithms()),
            None => verify_tls13_signature(message, cert, dss, self.algorithms()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

/// The name is looked at last: does all else hold?
const fn is_of_name_alone(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

impl Chain {
    /// Is it for the host that was dialled, where that is asked for?
    fn check_name(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
        if !self.named || is_commonly_named(certificate, name) {
            return Ok(());
        }
        if V1::read(certificate).is_some() {
            return Err(CertificateError::NotValidForName.into());
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
    }
}
