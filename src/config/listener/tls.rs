//! Encryption between a listener and its clients, and between it and its servers.

use std::path::{Path, PathBuf};

use toml::Value;

use super::super::context::{Context, warn_of_readers};
use super::super::document::Section;
use super::super::problem::Fault;
use super::super::value;
use super::login;

/// Encryption on either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// `client_tls`.
    pub client: TlsSide,
    /// `server_tls`.
    pub server: TlsSide,
}

/// One side. Relative paths are taken from the folder of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSide {
    /// How much of it.
    pub mode: TlsMode,
    /// Which versions of it.
    pub protocols: TlsProtocols,
    /// Our certificate with what leads to its authority, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
    /// Authorities that may have signed the peer's certificate, PEM.
    pub ca_file: Option<PathBuf>,
}

/// The modes of libpq's `sslmode`, as far as they differ for whoever is not libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsMode {
    /// No TLS.
    #[default]
    Disable,
    /// Where the peer wants it.
    Prefer,
    /// Nothing else.
    Require,
    /// And the peer's certificate is signed by one of `ca_file`.
    VerifyCa,
    /// And it is for the peer's name: the host of a server, the user of a client.
    VerifyFull,
}

/// Which versions of TLS a side speaks. There are none below 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsProtocols {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

impl TlsProtocols {
    /// The words of the file.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Both => &["tlsv1.2", "tlsv1.3"],
            Self::Tls12 => &["tlsv1.2"],
            Self::Tls13 => &["tlsv1.3"],
        }
    }
}

impl TlsMode {
    const ALL: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Is the peer's certificate looked at?
    pub fn verifies(self) -> bool {
        self >= Self::VerifyCa
    }
}

impl TlsSide {
    /// The keys that are given, for people.
    pub(in crate::config) fn to_table(&self) -> toml::Table {
        let files = [("cert_file", &self.cert_file), ("key_file", &self.key_file), ("ca_file", &self.ca_file)];
        let given = files.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?.display().to_string())));
        let mode = ("mode", self.mode.label().to_owned());
        let texts = std::iter::once(mode).chain(given).map(|(key, text)| (key.to_owned(), Value::from(text)));
        let protocols = (self.protocols != TlsProtocols::Both)
            .then(|| ("protocols".to_owned(), Value::from(self.protocols.labels().to_vec())));
        texts.chain(protocols).collect()
    }
}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, context: &Context<'_>) -> Tls {
    let client = side(section.section("client_tls"), context.folder);
    let server = side(section.section("server_tls"), context.folder);
    if client.mode != TlsMode::Disable && client.cert_file.is_none() {
        let fault = Fault::new("needs cert_file and key_file: what Floodwall shows its clients");
        section.error("client_tls", fault.advise("name the PEM files of a certificate chain and of its key"));
    }
    if client.mode != TlsMode::Disable && server.mode != TlsMode::Disable && login::is_relay(section) {
        section.warn("server_tls", Fault::new(BOTH_LEGS).advise(BOTH_LEGS_ADVICE));
    }
    Tls { client, server }
}

const BOTH_LEGS: &str = "with login = \"relay\" and TLS on both sides, clients that bind a SCRAM login to its TLS channel (libpq does) \
                         get in only where server and Floodwall show the same certificate";
const BOTH_LEGS_ADVICE: &str = "use that certificate here too, have clients set channel_binding=disable, encrypt one side alone, \
                                or let Floodwall check the passwords (login = \"users\" or \"query\")";

fn side(mut section: Section<'_>, folder: &Path) -> TlsSide {
    let mode = section.read("mode", mode).unwrap_or_default();
    let protocols = section.read("protocols", protocols).unwrap_or_default();
    let mut file = |key| section.read(key, value::path).map(|path| folder.join(path));
    let (cert_file, key_file, ca_file) = (file("cert_file"), file("key_file"), file("ca_file"));
    if cert_file.is_some() != key_file.is_some() {
        let (given, missing) = if cert_file.is_some() { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
        section
            .error(given, Fault::new(format!("{missing} is missing")).advise("a certificate and its key go together"));
    }
    if let Some(key_file) = &key_file {
        warn_of_readers(key_file, "key_file", &section);
    }
    if mode.verifies() && ca_file.is_none() {
        let fault = Fault::new(format!("\"{}\" needs ca_file", mode.label()));
        section.error("mode", fault.advise("name a PEM file of the authorities that sign the peer's certificates"));
    }
    if !mode.verifies() && ca_file.is_some() {
        let fault = Fault::new(format!("has no effect: \"{}\" looks at no certificate", mode.label()));
        section.warn("ca_file", fault.advise("write mode = \"verify-full\" to have it checked"));
    }
    section.finish();
    TlsSide { mode, protocols, cert_file, key_file, ca_file }
}

fn mode(value: &Value) -> Result<TlsMode, Fault> {
    if value.as_str() == Some("allow") {
        return Err(Fault::new("\"allow\" is not known").advise("\"prefer\" takes both"));
    }
    value::one_of(value, &TlsMode::ALL)
}

fn protocols(value: &Value) -> Result<TlsProtocols, Fault> {
    let wanted = || {
        Fault::new("expected a list of versions")
            .advise("write protocols = [\"tlsv1.3\"], or leave it out for TLS 1.2 and 1.3")
    };
    let words = value.as_array().filter(|words| !words.is_empty()).ok_or_else(wanted)?;
    let one = |word: &Value| {
        let old = matches!(word.as_str(), Some("tlsv1.0" | "tlsv1.1"));
        if old { Err(Fault::new("nothing below TLS 1.2 is spoken")) } else { value::one_of(word, &VERSIONS) }
    };
    let versions: Vec<_> = words.iter().map(one).collect::<Result<_, _>>()?;
    let has = |version| versions.contains(&version);
    Ok(match (has(TlsProtocols::Tls12), has(TlsProtocols::Tls13)) {
        (true, false) => TlsProtocols::Tls12,
        (false, true) => TlsProtocols::Tls13,
        _ => TlsProtocols::Both,
    })
}

const VERSIONS: [(&str, TlsProtocols); 2] = [("tlsv1.2", TlsProtocols::Tls12), ("tlsv1.3", TlsProtocols::Tls13)];
