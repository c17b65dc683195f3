//! Who wants to come in, and how.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::AccessMethod;
use crate::net::stream::Stream;

/// Who wants to come in, and how.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Who it says it is.
    pub user: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
    /// How it shall prove that.
    pub method: AccessMethod,
    /// By what it came.
    pub channel: &'a Channel,
}

/// By what a client came.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// Encrypted.
    pub tls: bool,
    /// Common name of its certificate, which TLS has verified.
    pub certificate: Option<Arc<str>>,
    /// The hash of our certificate (`tls-server-end-point`).
    pub binding: Option<Arc<[u8]>>,
}

impl Channel {
    /// Of a client's stream.
    pub const fn of(stream: &Stream) -> Self {
        match stream {
            Stream::Tcp(_) | Stream::Unix(_) => Self { tls: false, certificate: None, binding: None },
        }
    }
}
