//! How much of a server's certificate is looked at.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Validity;
use super::material::{Material, Unusable};
use super::provider;
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
            // The name is looked at last: all else holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !chain.named => Ok(ServerCertVerified::assertion()),
            Err(_) if chain.listed.iter().any(|listed| listed == end_entity) => {
                chain.listed_itself(end_entity, server_name, now)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Chain {
    /// A server that shows the very certificate that `ca_file` lists, as those do that were made by `openssl req -x509`: libpq takes
    /// it, webpki does not, since it is an authority's.
    fn listed_itself(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match Validity::of(certificate) {
            Some(validity) if now < validity.not_before => return Err(CertificateError::NotValidYet.into()),
            Some(validity) if now > validity.not_after => return Err(CertificateError::Expired.into()),
            Some(_) => {}
            None => return Err(CertificateError::BadEncoding.into()),
        }
        if self.named {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }
}
