//! The files of one side, as they are on disk at one moment.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::certificate::validity;
use crate::config::{TlsMode, TlsProtocols, TlsSide};

/// Why a side can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file can't be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// Its path.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file holds nothing of what it should hold.
    #[error("{file}: no {what} in PEM form")]
    Empty {
        /// Its path.
        file: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The files do not fit together.
    #[error("{file}: {why}")]
    Unfit {
        /// Path of the certificate or of the authorities.
        file: String,
        /// What `rustls` said.
        why: String,
    },
}

/// The files' content. No `Debug`: a key is among it.
pub(super) struct Material {
    pub(super) mode: TlsMode,
    pub(super) protocols: TlsProtocols,
    cert: Option<(String, Vec<u8>)>,
    key: Option<(String, Vec<u8>)>,
    ca: Option<(String, Vec<u8>)>,
}

/// Our certificate chain with its key.
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Material {
    pub(super) fn read(side: &TlsSide) -> Result<Self, Unusable> {
        let read = |path: &Option<_>| path.as_deref().map(read_file).transpose();
        let ca = if side.mode.verifies() { read(&side.ca_file)? } else { None };
        Ok(Self {
            mode: side.mode,
            protocols: side.protocols,
            cert: read(&side.cert_file)?,
            key: read(&side.key_file)?,
            ca,
        })
    }

    /// Differs wherever anything does.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.mode.label());
        self.protocols.labels().iter().for_each(|label| digest.update(label));
        for (_, content) in [&self.cert, &self.key, &self.ca].into_iter().flatten() {
            digest.update((content.len() as u64).to_be_bytes());
            digest.update(content);
        }
        digest.finalize().into()
    }

    /// Our certificate and its key, where there is one.
    pub(super) fn shown(&self) -> Result<Option<Shown>, Unusable> {
        let (Some((cert_file, cert)), Some((key_file, key))) = (&self.cert, &self.key) else { return Ok(None) };
        let chain = certificates(cert_file, cert)?;
        let empty = |_| Unusable::Empty { file: key_file.clone(), what: "private key" };
        Ok(Some(Shown { chain, key: PrivateKeyDer::from_pem_slice(key).map_err(empty)? }))
    }

    /// The authorities that may have signed the peer's certificate, as they stand in the file, and ready for use.
    pub(super) fn authorities(&self) -> Result<(Vec<CertificateDer<'static>>, RootCertStore), Unusable> {
        let Some((file, content)) = &self.ca else { return Ok((Vec::new(), RootCertStore::empty())) };
        let listed = certificates(file, content)?;
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).map_err(|error| self.unfit(&error))?;
        }
        Ok((listed, roots))
    }

    /// The side can't be made of these files.
    pub(super) fn unfit(&self, error: &impl ToString) -> Unusable {
        let file = self.cert.as_ref().or(self.ca.as_ref()).map_or_else(String::new, |(file, _)| file.clone());
        Unusable::Unfit { file, why: error.to_string() }
    }
}

impl Shown {
    /// When the certificate ends, in seconds since 1970.
    pub(super) fn not_after(&self) -> Option<i64> {
        self.chain.first().and_then(validity).map(|(_, not_after)| not_after)
    }
}

fn read_file(path: &Path) -> Result<(String, Vec<u8>), Unusable> {
    let file = path.display().to_string();
    match std::fs::read(path) {
        Ok(content) => Ok((file, content)),
        Err(error) => Err(Unusable::Unreadable { file, error }),
    }
}

fn certificates(file: &str, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let empty = || Unusable::Empty { file: file.to_owned(), what: "certificate" };
    let all: Vec<_> = CertificateDer::pem_slice_iter(content).collect::<Result<_, _>>().map_err(|_| empty())?;
    if all.is_empty() { Err(empty()) } else { Ok(all) }
}
