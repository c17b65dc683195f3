//! What of TLS is spoken here, the same on both sides: the provider of its ciphers, its versions, the name of what it carries.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::config::TlsProtocols;

/// What PostgreSQL is called in ALPN (IANA's registry; PostgreSQL manual, "Direct SSL").
pub const ALPN: &[u8] = b"postgresql";

/// The versions spoken.
pub(super) const fn versions(protocols: TlsProtocols) -> &'static [&'static SupportedProtocolVersion] {
    match protocols {
        TlsProtocols::Both => const { &[&TLS13, &TLS12] },
        TlsProtocols::Tls12 => const { &[&TLS12] },
        TlsProtocols::Tls13 => const { &[&TLS13] },
    }
}

/// Makes `ring` the provider of the process, for every library that uses `rustls`. Call it before anything else does; later calls
/// change nothing.
pub fn install_provider() {
    drop(ring::default_provider().install_default());
}

/// What every configuration here is made with.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// `TLSv1.3`, as OpenSSL and PostgreSQL write it.
pub(super) const fn version_label(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    }
}
