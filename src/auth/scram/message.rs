//! The attributes of a message: `letter=value`, by commas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Key32;

/// Takes `name=value` and its comma off the front; `None` where another attribute stands there.
pub(super) fn attribute<'t>(text: &mut &'t str, name: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(name)?.strip_prefix('=')?;
    let (value, behind) = rest.split_once(',').unwrap_or((rest, ""));
    *text = behind;
    Some(value)
}

/// True where it may stand in a nonce: printable ASCII without the comma, which is checked by whoever split at it.
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(super) fn decode_key(text: &str) -> Option<Key32> {
    decode(text)?.try_into().ok().map(Key32)
}

/// A nonce of 18 random bytes, as PostgreSQL makes them.
pub(super) fn nonce() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)?;
    Ok(encode(&bytes))
}
