//! What a server stores of a password.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ITERATIONS, Key32, PLAIN, mac};

/// What a server stores of a password. Who reads it can pretend to be the server, and check clients; it opens no database.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// Salt.
    pub salt: Box<[u8]>,
    /// Hash of the client's key.
    pub stored: Key32,
    /// The server's key.
    pub server: Key32,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// The longest salt that is read; PostgreSQL's has 16 bytes.
const SALT_MAX: usize = 256;

impl Verifier {
    /// Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PLAIN)?.strip_prefix('$')?;
        let (rounds, keys) = rest.split_once('$')?;
        let (iterations, salt) = rounds.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let iterations = iterations.parse::<i32>().ok().and_then(|count| u32::try_from(count).ok());
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=SALT_MAX).contains(&salt.len()))?;
        Some(Self {
            iterations: iterations.filter(|count| *count > 0)?,
            salt: salt.into(),
            stored: key(stored)?,
            server: key(server)?,
        })
    }

    /// A verifier that no password fits, for a name that does not exist. The same for the same name, as long as `seed` is, so that
    /// asking twice tells nothing.
    pub fn mock(seed: &[u8; 32], user: &str) -> Self {
        let salt = mac(seed, user.as_bytes()).0;
        let stored = mac(&salt, seed);
        Self {
            iterations: ITERATIONS,
            salt: salt.get(..16).unwrap_or_default().into(),
            stored,
            server: mac(&stored.0, seed),
        }
    }
}

fn key(text: &str) -> Option<Key32> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Key32)
}
