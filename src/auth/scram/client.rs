//! The client's side: logs in to a server.

use super::message::{attribute, decode, decode_key, encode, is_nonce, nonce};
use super::{ClientKeys, ITERATIONS_MAX, Key32, MESSAGE_MAX, PLAIN, PLUS, hash, mac, xor};

/// Why a server is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The messages are not what the mechanism says.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The server did not take up our nonce: it repeats what somebody else said.
    #[error("the server's nonce is not made of ours")]
    Nonce,
    /// More rounds than anybody needs: it would cost us seconds of processor time.
    #[error("the server asks for more than {ITERATIONS_MAX} iterations")]
    Iterations,
    /// The server does not know the password's verifier: it is not the server.
    #[error("the server did not prove that it knows the verifier")]
    Signature,
    /// It has none of the mechanisms that we have.
    #[error("the server offers no mechanism that Floodwall has")]
    Mechanism,
    /// The system has no random numbers.
    #[error("no random numbers")]
    Random,
}

/// An exchange after our first message.
#[derive(Debug)]
pub struct ClientExchange {
    mechanism: &'static str,
    header: &'static str,
    channel: String,
    nonce: String,
}

/// An exchange after the server's first message, which tells how the keys are made.
#[derive(Debug)]
pub struct Challenged {
    /// Salt of the server's verifier.
    pub salt: Vec<u8>,
    /// Its iterations, from 1 to [`ITERATIONS_MAX`].
    pub iterations: u32,
    pub(super) transcript: String,
    without_proof: String,
}

/// What the server must say at the end.
#[derive(Debug)]
pub struct Expected(Key32);

impl ClientExchange {
    /// Begins. `offered`: true for each mechanism that the server names; `binding`: the hash of its certificate
    /// (`tls-server-end-point`), where the connection is encrypted.
    ///
    /// # Errors
    /// [`Unfit::Mechanism`], [`Unfit::Random`].
    pub fn begin(offered: impl Fn(&str) -> bool, binding: Option<&[u8]>) -> Result<Self, Unfit> {
        Self::begin_with(offered, binding, nonce().map_err(|_| Unfit::Random)?)
    }

    pub(super) fn begin_with(
        offered: impl Fn(&str) -> bool,
        binding: Option<&[u8]>,
        nonce: String,
    ) -> Result<Self, Unfit> {
        let (mechanism, header, data) = match binding {
            Some(binding) if offered(PLUS) => (PLUS, "p=tls-server-end-point,,", binding),
            _ if !offered(PLAIN) => return Err(Unfit::Mechanism),
            // Lets the server notice if somebody took its better offer away.
            Some(_) => (PLAIN, "y,,", &[][..]),
            None => (PLAIN, "n,,", &[][..]),
        };
        let channel = encode(&[header.as_bytes(), data].concat());
        Ok(Self { mechanism, header, channel, nonce })
    }

    /// The mechanism to name.
    pub const fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// Our first message. PostgreSQL takes the user of the start-up packet and leaves this one alone.
    pub fn first(&self) -> String {
        format!("{}{}", self.header, self.bare())
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Takes the server's first message.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub fn challenge(self, message: &[u8]) -> Result<Challenged, Unfit> {
        let text = text(message)?;
        let mut rest = text;
        let nonce = attribute(&mut rest, "r").filter(|nonce| is_nonce(nonce)).ok_or(Unfit::Malformed)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(Unfit::Nonce);
        }
        let salt = attribute(&mut rest, "s").and_then(decode).ok_or(Unfit::Malformed)?;
        let iterations = attribute(&mut rest, "i").and_then(|count| count.parse::<u32>().ok());
        let iterations = iterations.filter(|count| *count > 0).ok_or(Unfit::Malformed)?;
        if iterations > ITERATIONS_MAX {
            return Err(Unfit::Iterations);
        }
        let transcript = format!("{},{text}", self.bare());
        let without_proof = format!("c={},r={nonce}", self.channel);
        Ok(Challenged { salt, iterations, transcript, without_proof })
    }
}

impl Challenged {
    /// Our last message, and what the server must answer.
    pub fn answer(self, keys: &ClientKeys) -> (String, Expected) {
        let Self { transcript, without_proof, .. } = self;
        let signed = format!("{transcript},{without_proof}");
        let signature = mac(&hash(&keys.client).0, signed.as_bytes());
        let proof = xor(&keys.client, &signature);
        let expected = Expected(mac(&keys.server.0, signed.as_bytes()));
        (format!("{without_proof},p={}", encode(&proof.0)), expected)
    }
}

impl Expected {
    /// Takes the server's last message.
    ///
    /// # Errors
    /// [`Unfit::Malformed`], [`Unfit::Signature`].
    pub fn verify(&self, message: &[u8]) -> Result<(), Unfit> {
        let mut rest = text(message)?;
        let signature = attribute(&mut rest, "v").and_then(decode_key).ok_or(Unfit::Malformed)?;
        if signature == self.0 { Ok(()) } else { Err(Unfit::Signature) }
    }
}

fn text(message: &[u8]) -> Result<&str, Unfit> {
    if message.len() > MESSAGE_MAX {
        return Err(Unfit::Malformed);
    }
    std::str::from_utf8(message).map_err(|_| Unfit::Malformed)
}
