//! Sockets and whole frames on them. Knows bytes and the protocols' heads, nothing of policy.

pub mod arrived;
pub mod detached;
pub mod driver;
pub mod framed;
pub mod library;
pub mod proxy_protocol;
pub mod socket;
pub mod stream;
pub mod tls;
