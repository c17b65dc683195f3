//! The files of one side, as they are on disk at one moment.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use sha2::{Digest, Sha256};

use super::certificate::Validity;
use super::spoken::provider;
use super::v1::V1;
use crate::config::{TlsMode, TlsProtocols, TlsSide};

/// A file that a side can't be made of.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct Unusable {
    /// The table that names it: `client_tls` or `server_tls`.
    pub side: &'static str,
    /// The key that names it: `cert_file`, `key_file` or `ca_file`.
    pub key: &'static str,
    /// Its path.
    pub file: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It can't be read: what the system said.
    #[error("cannot read it: {0}")]
    Unreadable(std::io::Error),
    /// It holds nothing of what it should hold.
    #[error("no {0} in PEM form")]
    Empty(&'static str),
    /// It breaks off inside of one, as where it is being written at this moment.
    #[error("a {0} in it is cut off or damaged")]
    Damaged(&'static str),
    /// It ended already, and the one in force has not.
    #[error("the certificate has expired, and the one in force has not")]
    Ended,
    /// It begins later, and the one in force holds.
    #[error("the certificate is not valid yet, and the one in force is")]
    Early,
    /// It does not fit with the others: what `rustls` said.
    #[error("{0}")]
    Unfit(String),
}

/// The files' content. No `Debug`: a key is among it.
pub(super) struct Material {
    side: &'static str,
    pub(super) mode: TlsMode,
    pub(super) protocols: TlsProtocols,
    cert: Option<File>,
    key: Option<File>,
    ca: Option<File>,
}

/// One of them.
struct File {
    key: &'static str,
    path: String,
    content: Vec<u8>,
}

/// Our certificate chain with its key.
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Material {
    /// Reads the files of one side, which is called so in the configuration.
    pub(super) fn read(name: &'static str, side: &TlsSide) -> Result<Self, Unusable> {
        let read = |key, path: &Option<_>| path.as_deref().map(|path| read_file(name, key, path)).transpose();
        let ca = if side.mode.verifies() { read("ca_file", &side.ca_file)? } else { None };
        Ok(Self {
            side: name,
            mode: side.mode,
            protocols: side.protocols,
            cert: read("cert_file", &side.cert_file)?,
            key: read("key_file", &side.key_file)?,
            ca,
        })
    }

    /// Differs wherever anything does.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.mode.label());
        self.protocols.labels().iter().for_each(|label| digest.update(label));
        for File { content, .. } in [&self.cert, &self.key, &self.ca].into_iter().flatten() {
            digest.update((content.len() as u64).to_be_bytes());
            digest.update(content);
        }
        digest.finalize().into()
    }

    /// Our certificate and its key, where there is one.
    pub(super) fn shown(&self) -> Result<Option<Shown>, Unusable> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let chain = self.certificates(cert)?;
        let read = PrivateKeyDer::from_pem_slice(&key.content);
        let key = read.map_err(|error| self.broken(key, unread(&error, "private key")))?;
        Ok(Some(Shown { chain, key }))
    }

    /// The authorities that may have signed the peer's certificate, as they stand in the file, and ready for use.
    pub(super) fn authorities(&self) -> Result<(Vec<CertificateDer<'static>>, RootCertStore), Unusable> {
        let Some(file) = &self.ca else { return Ok((Vec::new(), RootCertStore::empty())) };
        let listed = self.certificates(file)?;
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).map_err(|error| self.broken(file, Why::Unfit(error.to_string())))?;
        }
        Ok((listed, roots))
    }

    /// The side can't be made of these files.
    pub(super) fn unfit(&self, error: &impl ToString) -> Unusable {
        let why = Why::Unfit(error.to_string());
        match self.cert.as_ref().or(self.ca.as_ref()) {
            Some(file) => self.broken(file, why),
            None => Unusable { side: self.side, key: "cert_file", file: String::new(), why },
        }
    }

    /// Our certificate does not hold now.
    pub(super) fn untimely(&self, why: Why) -> Unusable {
        let (key, file) = self.cert.as_ref().map_or(("cert_file", String::new()), |file| (file.key, file.path.clone()));
        Unusable { side: self.side, key, file, why }
    }

    /// What `rustls` says of our certificate, in words that tell what to do.
    pub(super) fn unshown(&self, error: &rustls::Error) -> Unusable {
        match error {
            rustls::Error::InconsistentKeys(_) => self.unfit(&"key_file holds the key of another certificate"),
            other => self.unfit(other),
        }
    }

    fn certificates(&self, file: &File) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        match CertificateDer::pem_slice_iter(&file.content).collect::<Result<Vec<_>, _>>() {
            Ok(all) if all.is_empty() => Err(self.broken(file, Why::Empty("certificate"))),
            Ok(all) => Ok(all),
            Err(error) => Err(self.broken(file, unread(&error, "certificate"))),
        }
    }

    fn broken(&self, file: &File, why: Why) -> Unusable {
        Unusable { side: self.side, key: file.key, file: file.path.clone(), why }
    }
}

impl Shown {
    /// Ready for use.
    ///
    /// # Errors
    /// No key that we can sign with, or the key of another certificate.
    pub(super) fn certified(self) -> Result<CertifiedKey, rustls::Error> {
        let provider = provider();
        // As `CertifiedKey::from_der`, which reads no certificate of version 1.
        let Some(v1) = self.chain.first().and_then(V1::read) else {
            return CertifiedKey::from_der(self.chain, self.key, &provider);
        };
        let key = provider.key_provider.load_private_key(self.key)?;
        if key.public_key().is_some_and(|public| public != v1.key()) {
            return Err(InconsistentKeys::KeyMismatch.into());
        }
        Ok(CertifiedKey::new(self.chain, key))
    }

    /// From when to when the certificate holds; `None` where that can't be read.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.chain.first().and_then(Validity::of)
    }
}

/// Why a file does not hold what it should.
const fn unread(error: &pem::Error, what: &'static str) -> Why {
    match error {
        pem::Error::NoItemsFound => Why::Empty(what),
        _ => Why::Damaged(what),
    }
}

fn read_file(side: &'static str, key: &'static str, path: &Path) -> Result<File, Unusable> {
    let file = path.display().to_string();
    match std::fs::read(path) {
        Ok(content) => Ok(File { key, path: file, content }),
        Err(error) => Err(Unusable { side, key, file, why: Why::Unreadable(error) }),
    }
}
