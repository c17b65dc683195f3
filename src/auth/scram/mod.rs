//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, from both sides.
//!
//! A *verifier* (`SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`) is what a server stores of a password. Whoever holds it can
//! check a client with two hashes, and learns the client's key from the exchange: with that key it can log in wherever the same
//! verifier is stored, which is how Floodwall logs in to a server without knowing any password.

mod client;
mod message;
mod server;
mod verifier;

use std::fmt;

use ring::{digest, hmac};
use subtle::ConstantTimeEq;

pub use self::client::{Challenged, ClientExchange, Expected, Unfit};
pub use self::server::{Accepted, ServerExchange, Turned};
pub use self::verifier::Verifier;

/// The mechanism without channel binding.
pub const PLAIN: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The most bytes of one message of an exchange, as in PostgreSQL (`PG_MAX_SASL_MESSAGE_LENGTH`).
pub const MESSAGE_MAX: usize = 1024;

/// The iterations that PostgreSQL makes unless told otherwise.
pub const ITERATIONS: u32 = 4096;

/// The most iterations that are made for anybody: about half a second of processor time.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// 32 bytes that prove something; never shown.
#[derive(Clone, Copy)]
pub struct Key32(pub [u8; 32]);

impl fmt::Debug for Key32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key32(***)")
    }
}

impl PartialEq for Key32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key32 {}

/// What a client logs in with: made of a password, or learnt from an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeys {
    /// Proves the client to the server.
    pub client: Key32,
    /// Proves the server to the client.
    pub server: Key32,
}

impl ClientKeys {
    /// Of a prepared password: `iterations` rounds of PBKDF2, so never on a worker's thread.
    pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let mut salted = [0; 32];
        let rounds = std::num::NonZeroU32::new(iterations).unwrap_or(std::num::NonZeroU32::MIN);
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password, &mut salted);
        Self { client: mac(&salted, b"Client Key"), server: mac(&salted, b"Server Key") }
    }

    /// The verifier that these keys belong to.
    pub fn verifier(&self, salt: &[u8], iterations: u32) -> Verifier {
        Verifier { iterations, salt: salt.into(), stored: hash(&self.client), server: self.server }
    }
}

/// A client's keys with the salt and iterations that they were made with: they fit a server whose verifier has the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The keys.
    pub keys: ClientKeys,
    /// Salt of the verifier.
    pub salt: Box<[u8]>,
    /// Iterations of the verifier.
    pub iterations: u32,
}

fn mac(key: &[u8], text: &[u8]) -> Key32 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    Key32(tag.as_ref().try_into().unwrap_or([0; 32]))
}

fn hash(key: &Key32) -> Key32 {
    Key32(digest::digest(&digest::SHA256, &key.0).as_ref().try_into().unwrap_or([0; 32]))
}

fn xor(a: &Key32, b: &Key32) -> Key32 {
    let mut out = a.0;
    out.iter_mut().zip(b.0).for_each(|(byte, other)| *byte ^= other);
    Key32(out)
}

#[cfg(test)]
mod tests;
