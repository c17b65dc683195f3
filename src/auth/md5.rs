//! The older password hash: what PostgreSQL stores, and the answer to its challenge.
//!
//! Source: PostgreSQL manual, "Message Flow", "AuthenticationMD5Password".

use std::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// `md5` and 32 hexadecimal digits: as good as a password, so it never shows.
#[derive(Clone)]
pub struct Md5Hash([u8; 32]);

impl fmt::Debug for Md5Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Hash(***)")
    }
}

impl PartialEq for Md5Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Md5Hash {}

impl Md5Hash {
    /// Reads what PostgreSQL stores; `None` where it is no such hash.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 32] = text.strip_prefix("md5")?.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_hexdigit).then(|| Self(digits.map(|digit| digit.to_ascii_lowercase())))
    }

    /// The hash of a password.
    pub fn of(password: &str, user: &str) -> Self {
        Self(hex_md5(&[password.as_bytes(), user.as_bytes()]))
    }

    /// The answer to a challenge.
    pub fn answer(&self, salt: [u8; 4]) -> String {
        let mut answer = "md5".to_owned();
        answer.extend(hex_md5(&[&self.0, &salt]).map(char::from));
        answer
    }

    /// True where `answer` answers the challenge. Takes the same time whatever it says.
    pub fn is_answered(&self, salt: [u8; 4], answer: &[u8]) -> bool {
        self.answer(salt).as_bytes().ct_eq(answer).into()
    }
}

fn hex_md5(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Md5::new();
    parts.iter().for_each(|part| hasher.update(part));
    let text: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    text.as_bytes().try_into().unwrap_or([0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_server_does() {
        // SELECT 'md5' || md5('md5-secret' || 'md5_user')
        let hash = Md5Hash::of("md5-secret", "md5_user");
        assert_eq!(Some(&hash), Md5Hash::parse("md594f6dfa9ce48919dd181f96e6e406c5f").as_ref());
        let answer = hash.answer(*b"salt");
        assert_eq!(answer, "md5db2da19cbdbfafef0a195acce9081303");
        assert!(hash.is_answered(*b"salt", answer.as_bytes()));
        assert!(!hash.is_answered(*b"tlas", answer.as_bytes()));
        assert!(!hash.is_answered(*b"salt", b"md5"));
        assert!(!Md5Hash::of("other", "md5_user").is_answered(*b"salt", answer.as_bytes()));
    }

    #[test]
    fn reads_only_what_is_one() {
        let text = "md5D41D8CD98F00B204E9800998ECF8427E";
        assert_eq!(Md5Hash::parse(text), Md5Hash::parse(&text.to_lowercase().replace("MD5", "md5")));
        for text in [
            "",
            "md5",
            "md5d41d8cd98f00b204e9800998ecf8427",
            "md5d41d8cd98f00b204e9800998ecf8427g",
            "d41d8cd98f00b204e9800998ecf8427e000",
        ] {
            assert_eq!(Md5Hash::parse(text), None, "{text}");
        }
    }
}
