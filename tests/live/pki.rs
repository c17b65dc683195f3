//! Certificates of a test's own, in a folder that the server's user may read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::support::cluster::run;
use crate::support::process::Scratch;

/// An authority and what it has issued.
pub(crate) struct Office {
    folder: Scratch,
    issuer: Issuer<'static, KeyPair>,
}

impl Office {
    /// A new authority; its certificate is `ca.crt`.
    pub(crate) fn new() -> Self {
        let folder = Scratch::new("pki");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// A file of this folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Issues `LABEL.crt` and `LABEL.key`, for the common name `LABEL` and other names. What was there is replaced.
    pub(crate) fn issue(&self, label: &str, names: &[&str]) {
        self.issue_until(label, names, 2099);
    }

    /// The same, up to the first day of a year.
    pub(crate) fn issue_until(&self, label: &str, names: &[&str], year: i32) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, label);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{label}.crt")), certificate.pem()).unwrap();
        let key_file = self.path(&format!("{label}.key"));
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The same as [`Self::issue`], for the common name alone, by the commands of the PostgreSQL manual ("Creating Certificates").
    pub(crate) fn issue_by_openssl(&self, label: &str, common_name: &str) {
        std::fs::write(self.path("ca.key"), self.issuer.key().serialize_pem()).unwrap();
        let file = |end: &str| self.text(&format!("{label}.{end}"));
        let (request, key, subject) = (file("csr"), file("key"), format!("/CN={common_name}"));
        let mut ask = Command::new("openssl");
        run(ask.args(["req", "-new", "-nodes", "-subj", &subject, "-out", &request, "-keyout", &key]));
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "365", "-CA", &self.text("ca.crt"), "-CAkey", &self.text("ca.key")]);
        run(sign.args(["-CAcreateserial", "-in", &request, "-out", &file("crt")]));
    }

    /// A copy of `LABEL.key` that belongs to the server's user, who takes no other.
    pub(crate) fn key_for_server(&self, label: &str) -> String {
        let copy = self.path(&format!("{label}.server.key"));
        std::fs::copy(self.path(&format!("{label}.key")), &copy).unwrap();
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(&copy));
        }
        text(&copy)
    }

    /// The path of a file as text.
    pub(crate) fn text(&self, file: &str) -> String {
        text(&self.path(file))
    }

    /// `client_tls` or `server_tls` of a listener: these keys of a TOML table.
    pub(crate) fn side(&self, mode: &str, label: Option<&str>, ca: Option<&Self>) -> String {
        let mut keys = format!("mode = '{mode}'");
        if let Some(label) = label {
            let (cert, key) = (self.text(&format!("{label}.crt")), self.text(&format!("{label}.key")));
            keys.push_str(&format!(", cert_file = '{cert}', key_file = '{key}'"));
        }
        if let Some(ca) = ca {
            keys.push_str(&format!(", ca_file = '{}'", ca.text("ca.crt")));
        }
        format!("{{ {keys} }}")
    }

    /// A client that trusts this authority and names these protocols.
    pub(crate) fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
