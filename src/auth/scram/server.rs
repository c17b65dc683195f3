//! The server's side: checks a client against a verifier.

use super::message::{attribute, decode_key, encode, is_nonce, nonce};
use super::{ClientKeys, Key32, MESSAGE_MAX, PLAIN, PLUS, ScramKeys, Verifier, hash, mac, xor};

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// The messages are not what the mechanism says.
    #[error("malformed SCRAM message")]
    Malformed,
    /// A mechanism that was not offered.
    #[error("the client chose a mechanism that was not offered")]
    Mechanism,
    /// The client could bind to the channel and thinks that we cannot: somebody between us may have said so.
    #[error("the client was told that channel binding is not possible, which it is")]
    Downgrade,
    /// The client is bound to another channel: somebody stands between us.
    #[error("the client is bound to another TLS channel")]
    Binding,
    /// The proof is wrong.
    #[error("wrong password")]
    Proof,
    /// The system has no random numbers.
    #[error("no random numbers")]
    Random,
}

/// An exchange after the client's first message.
#[derive(Debug)]
pub struct ServerExchange {
    verifier: Verifier,
    /// What `c=` must say.
    channel: String,
    nonce: String,
    /// The client's first message without its header, and ours.
    transcript: String,
}

/// A client that has proven itself.
#[derive(Debug)]
pub struct Accepted {
    /// The last message of the server.
    pub last: String,
    /// What logs in to a server that has the same verifier.
    pub keys: ScramKeys,
}

impl ServerExchange {
    /// The mechanisms to offer, the best first. `binding`: the hash of our certificate (`tls-server-end-point`), where the client
    /// came by TLS.
    pub const fn mechanisms(binding: Option<&[u8]>) -> &'static [&'static str] {
        if binding.is_some() { &[PLUS, PLAIN] } else { &[PLAIN] }
    }

    /// Takes the client's first message; gives the exchange and the server's first.
    ///
    /// # Errors
    /// See [`Turned`].
    pub fn begin(
        mechanism: &[u8],
        first: &[u8],
        binding: Option<&[u8]>,
        verifier: Verifier,
    ) -> Result<(Self, String), Turned> {
        Self::begin_with(mechanism, first, binding, verifier, &nonce().map_err(|_| Turned::Random)?)
    }

    pub(super) fn begin_with(
        mechanism: &[u8],
        first: &[u8],
        binding: Option<&[u8]>,
        verifier: Verifier,
        ours: &str,
    ) -> Result<(Self, String), Turned> {
        let first = text(first)?;
        let (header, bare) = split_header(first)?;
        let channel = channel(mechanism, header, binding)?;
        let mut rest = bare;
        // Which user it is was said in the start-up packet, as with PostgreSQL; a mandatory extension is none that we know.
        attribute(&mut rest, "n").ok_or(Turned::Malformed)?;
        let theirs = attribute(&mut rest, "r").filter(|nonce| is_nonce(nonce)).ok_or(Turned::Malformed)?;
        let nonce = format!("{theirs}{ours}");
        let answer = format!("r={nonce},s={},i={}", encode(&verifier.salt), verifier.iterations);
        let transcript = format!("{bare},{answer}");
        Ok((Self { verifier, channel, nonce, transcript }, answer))
    }

    /// Takes the client's last message.
    ///
    /// # Errors
    /// See [`Turned`].
    pub fn finish(self, last: &[u8]) -> Result<Accepted, Turned> {
        let last = text(last)?;
        // The proof stands at the end; extensions before it are part of what is signed.
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or(Turned::Malformed)?;
        let mut rest = without_proof;
        let channel = attribute(&mut rest, "c").ok_or(Turned::Malformed)?;
        let nonce = attribute(&mut rest, "r").ok_or(Turned::Malformed)?;
        if channel != self.channel {
            return Err(Turned::Binding);
        }
        if nonce != self.nonce {
            return Err(Turned::Malformed);
        }
        let proof = decode_key(proof).ok_or(Turned::Malformed)?;
        let signed = format!("{},{without_proof}", self.transcript);
        let client = self.client_key(&proof, &signed).ok_or(Turned::Proof)?;
        let last = format!("v={}", encode(&mac(&self.verifier.server.0, signed.as_bytes()).0));
        let Verifier { iterations, salt, server, .. } = self.verifier;
        Ok(Accepted { last, keys: ScramKeys { keys: ClientKeys { client, server }, salt, iterations } })
    }

    fn client_key(&self, proof: &Key32, signed: &str) -> Option<Key32> {
        let signature = mac(&self.verifier.stored.0, signed.as_bytes());
        let client = xor(proof, &signature);
        (hash(&client) == self.verifier.stored).then_some(client)
    }
}

fn text(message: &[u8]) -> Result<&str, Turned> {
    if message.len() > MESSAGE_MAX {
        return Err(Turned::Malformed);
    }
    std::str::from_utf8(message).map_err(|_| Turned::Malformed)
}

/// Parts `flag,authzid,` from what follows. To act for somebody else is not possible.
fn split_header(first: &str) -> Result<(&str, &str), Turned> {
    let at = first.find(",,").ok_or(Turned::Malformed)?;
    first.split_at_checked(at.saturating_add(2)).ok_or(Turned::Malformed)
}

/// What the client's last message must say of the channel.
fn channel(mechanism: &[u8], header: &str, binding: Option<&[u8]>) -> Result<String, Turned> {
    let bound = mechanism == PLUS.as_bytes();
    if !bound && mechanism != PLAIN.as_bytes() {
        return Err(Turned::Mechanism);
    }
    match (header, bound, binding) {
        (_, true, None) => Err(Turned::Mechanism),
        ("n,,", false, _) | ("y,,", false, None) => Ok(encode(header.as_bytes())),
        ("y,,", false, Some(_)) => Err(Turned::Downgrade),
        ("p=tls-server-end-point,,", true, Some(binding)) => Ok(encode(&[header.as_bytes(), binding].concat())),
        _ => Err(Turned::Malformed),
    }
}
