//! A server for a pool, and what it means to the pool where there is none.

use crate::client::refuse::NO_CONNECTION;
use crate::clock::Instant;
use crate::config::Login;
use crate::server::account::Account;
use crate::server::failed::LoginFailed;
use crate::server::lacking::Lacking;
use crate::server::pool::NotMade;
use crate::server::reach::{self, LoggedIn, NotReached};
use crate::session::house::House;

/// What a server says of a login that is not to be, however well the server is: no such database (3D000), it takes no connections
/// (55000), no CONNECT privilege (42501), no line in pg_hba.conf, or a role that is gone or may not log in (28000), another password (28P01).
const DENIALS: [&str; 5] = ["3D000", "55000", "42501", "28000", "28P01"];

/// What a server says to whoever does not answer what it asks for: invalid_authorization_specification.
const NO_PROOF: &str = "28000";

/// What it says to another password, and we where its verifier is not the one that a client has proven to know: invalid_password.
pub(super) const OTHER_PASSWORD: &str = "28P01";

/// Connects and logs in, until `deadline`.
pub(super) async fn reach(house: &House, account: &Account, deadline: Instant) -> Result<LoggedIn, NotMade> {
    let reached = reach::reach(&house.nodes, || house.security(), account, deadline, deadline).await;
    reached.map_err(|why| match why {
        NotReached::Login(failed) => {
            if failed.is_of_proof() {
                house.logins.doubt(&account.user);
            }
            not_let_in(failed, &house.settings.load().listener.login)
        }
        NotReached::Unreachable(unreachable) => {
            let names = house.settings.load().listener.servers.join(", ");
            NotMade::Failed(format!("{NO_CONNECTION} {names}: {}", unreachable.why))
        }
        NotReached::Standby(_) | NotReached::Late(_) => NotMade::Failed(why.to_string()),
    })
}

/// A server that has no room is full, and one that does not want this client, or asks for a proof that we do not have, is well: neither is
/// broken.
fn not_let_in(failed: LoginFailed, login: &Login) -> NotMade {
    let rejection = match &failed {
        LoginFailed::Rejected(rejection) => rejection,
        LoginFailed::NoProof(lacking) => {
            let sqlstate = if *lacking == Lacking::SameVerifier { OTHER_PASSWORD } else { NO_PROOF };
            return NotMade::Denied { sqlstate, message: lacking.told(login) };
        }
        _ => return NotMade::Failed(failed.to_string()),
    };
    let sqlstate = rejection.failure.sqlstate;
    match DENIALS.iter().find(|denial| denial.as_bytes() == sqlstate) {
        _ if rejection.is_for_want_of_room() => NotMade::Full(failed.to_string()),
        Some(sqlstate) => NotMade::Denied { sqlstate, message: rejection.message.clone() },
        None => NotMade::Failed(failed.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::failed::Rejection;
    use crate::wire::{Failure, Severity};

    #[test]
    fn what_is_the_clients_own_fault_is_told_apart_from_a_server_that_is_full_or_broken() {
        let of = |sqlstate: &[u8; 5]| {
            let failure = Failure { sqlstate: *sqlstate, fatal: Severity::Fatal };
            let rejection = Rejection { failure, message: "no".to_owned(), words: bytes::Bytes::new() };
            not_let_in(LoginFailed::Rejected(Box::new(rejection)), &Login::Relay)
        };
        for sqlstate in DENIALS {
            let denied = of(sqlstate.as_bytes().first_chunk().unwrap());
            assert_eq!(denied, NotMade::Denied { sqlstate, message: "no".to_owned() });
        }
        assert!(matches!(of(b"53300"), NotMade::Full(_)));
        for sqlstate in [b"57P03", b"XX000", b"58P01", b"22023"] {
            assert!(matches!(of(sqlstate), NotMade::Failed(_)));
        }
        // It was 08001, "Try again", before.
        let asked = NotMade::Denied { sqlstate: NO_PROOF, message: Lacking::Md5.told(&Login::Relay) };
        assert_eq!(not_let_in(LoginFailed::NoProof(Lacking::Md5), &Login::Relay), asked);
        let other = not_let_in(LoginFailed::NoProof(Lacking::SameVerifier), &Login::Relay);
        assert!(matches!(other, NotMade::Denied { sqlstate: OTHER_PASSWORD, .. }), "{other}");
        assert!(matches!(not_let_in(LoginFailed::Gone, &Login::Relay), NotMade::Failed(_)));
    }
}
