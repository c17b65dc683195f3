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
mod spoken;
mod v1;
mod verify;
mod verify_client;

pub use self::acceptor::Acceptor;
pub use self::certificate::{Identity, Validity, channel_binding};
pub use self::connector::Connector;
pub use self::live::{Expiry, Live};
pub use self::material::{Unusable, Why};
pub use self::socket::{Carrier, Socket};
pub use self::spoken::{ALPN, install_provider};

/// Why there is no connection to a server that has no TLS.
pub const NO_TLS: &str = "it does not speak TLS";
/// How the reason begins where client and server do not agree on it.
pub const NO_HANDSHAKE: &str = "the TLS handshake failed";

#[cfg(test)]
mod tests;
