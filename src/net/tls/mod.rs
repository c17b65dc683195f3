//! TLS by `rustls`: what a listener shows its clients, how it speaks to its servers, and the stream in between.
//!
//! A [`Live`] holds both sides of one listener. Each side is made of files whose content decides whether anything changed: a reload
//! with the same files keeps configuration, tickets and sessions as they are, and files that don't fit together leave the last good
//! side in force. Live connections keep what they began with.

mod acceptor;
mod certificate;
mod connector;
mod live;
mod material;
mod socket;
mod v1;
mod verify;
mod verify_client;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

pub use self::acceptor::Acceptor;
pub use self::certificate::{Identity, Validity, channel_binding};
pub use self::connector::Connector;
pub use self::live::{Expiry, Live};
pub use self::material::{Unusable, Why};
pub use self::socket::{Carrier, Socket};
use crate::config::TlsProtocols;

/// What PostgreSQL is called in ALPN (IANA's registry; PostgreSQL manual, "Direct SSL").
pub const ALPN: &[u8] = b"postgresql";

/// The versions spoken.
const fn versions(protocols: TlsProtocols) -> &'static [&'static SupportedProtocolVersion] {
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

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// `TLSv1.3`, as OpenSSL and PostgreSQL write it.
const fn version_label(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    }
}

#[cfg(test)]
mod tests;
