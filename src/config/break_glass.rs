//! `[break_glass]`: the key that break-glass passes are signed with. Without one there are none.

use super::Secret;
use super::context::{Context, SecretKeys, secret_of};
use super::document::Section;
use super::problem::Fault;

/// As many bytes as the hash has: less would be the weakest part of a signature.
const KEY_BYTES_MIN: usize = 32;

const KEYS: SecretKeys = SecretKeys { what: "a key", direct: "key", variable: "key_env", file: "key_file" };

/// Reads `[break_glass]`; `None` where no key is given, or a wrong one.
pub(super) fn resolve(mut section: Section<'_>, context: &Context<'_>) -> Option<Secret> {
    let key = secret_of(&mut section, context, &KEYS);
    let given = if section.has(KEYS.variable) { KEYS.variable } else { KEYS.file };
    let bytes = key.as_ref().map_or(0, |key| key.reveal().len());
    // Commands that need no secrets leave them empty.
    let short = (1..KEY_BYTES_MIN).contains(&bytes);
    if short {
        let fault = Fault::new(format!("the key has {bytes} bytes; a key has at least {KEY_BYTES_MIN}"));
        section.error(given, fault.advise("make one with: openssl rand -hex 32"));
    }
    section.finish();
    key.filter(|key| !short && !key.reveal().is_empty())
}
