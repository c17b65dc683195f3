//! What a server asks for and we do not have, and how it can be had: that depends on who checks the clients' passwords.

use crate::config::Login;

/// What a server asks for and we do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// The password itself.
    Password,
    /// What answers md5.
    Md5,
    /// What answers SCRAM.
    Scram,
    /// Keys of the verifier that this server has.
    SameVerifier,
    /// An OAuth token.
    Token,
    /// A way of asking that we know.
    Way,
}

impl Lacking {
    /// What it is, and what to do about it.
    pub fn told(self, login: &Login) -> String {
        format!("{}: {}", self.what(), self.advice(login))
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Password => "the server asks for a password in the clear, and Floodwall knows only a verifier",
            Self::Md5 => "the server asks for md5, and Floodwall knows neither the password nor its md5 hash",
            Self::Scram => {
                "the server asks for SCRAM, and Floodwall knows neither the password nor keys from a SCRAM login"
            }
            Self::SameVerifier => {
                "the server has another SCRAM verifier for this user than Floodwall, and the client's login fits only the same \
                 salt and iterations"
            }
            Self::Token => "the server asks for an OAuth token, which only the client can get",
            Self::Way => "the server asks for a way to log in that Floodwall does not have",
        }
    }

    const fn advice(self, login: &Login) -> &'static str {
        let asks = matches!(login, Login::Query(_));
        match self {
            Self::Password if asks => "ask for scram-sha-256 in pg_hba.conf for Floodwall's address",
            Self::Password => {
                "give the user a password in users_file, or ask for scram-sha-256 in pg_hba.conf for Floodwall's address"
            }
            Self::Md5 if asks => {
                "store a SCRAM verifier at the server, or let auth_query give the md5 hash that it stores"
            }
            Self::Md5 => "store a SCRAM verifier at the server, or give the user a password in users_file",
            Self::Scram if asks => {
                "let clients log in by scram, and auth_query give the SCRAM verifier that the server stores"
            }
            Self::Scram => "give the user a password in users_file, or let clients log in by scram",
            Self::SameVerifier if asks => {
                "connect again where the password has been set since, or let auth_query give rolpassword of pg_authid, as this server has it"
            }
            Self::SameVerifier => "copy rolpassword from pg_authid, or give the user a password in users_file",
            Self::Token => {
                "`login = \"relay\"` lets the two agree on it, or ask for scram-sha-256 in pg_hba.conf for Floodwall's address"
            }
            Self::Way => "scram-sha-256, md5 and password are known",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AuthQuery;

    #[test]
    fn nobody_is_sent_to_a_setting_that_the_listener_does_not_have() {
        let text = |text: &str| text.to_owned();
        let query = AuthQuery { query: text("SELECT $1"), user: text("asker"), password: None, database: text("app") };
        let query = Login::Query(query);
        for lacking in [Lacking::Password, Lacking::Md5, Lacking::Scram, Lacking::SameVerifier] {
            assert!(!lacking.told(&query).contains("users_file"), "{lacking:?}");
            let users = lacking.told(&Login::Relay);
            assert!(users.contains("users_file") && !users.contains("auth_query"), "{users}");
        }
    }
}
