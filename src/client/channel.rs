//! By what a client came.

use std::sync::Arc;

use crate::net::stream::Stream;
use crate::net::tls::Identity;

/// By what a client came.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// Encrypted.
    pub tls: bool,
    /// Names of its certificate, which TLS has verified.
    pub certificate: Option<Identity>,
    /// The hash of our certificate (`tls-server-end-point`).
    pub binding: Option<Arc<[u8]>>,
}

impl Channel {
    /// Of a client's stream.
    pub fn of(stream: &Stream) -> Self {
        Self {
            tls: stream.is_tls(),
            certificate: stream.peer_identity().cloned(),
            binding: stream.channel_binding().map(Arc::from),
        }
    }
}
