//! A connection to the server that is used, logged in; where that one turns out not to be it any more, to the next.

use tokio::time::timeout_at;

use crate::clock::{self, Instant};
use crate::server::connect::{Reached, connect};
use crate::server::login::{Account, Fresh, LoginFailed, login};
use crate::server::pool::NotMade;
use crate::server::route::Route;
use crate::session::house::House;

/// What a server says of a login that is not to be, however well the server is: no such database (3D000), it takes no connections
/// (55000), no CONNECT privilege (42501), no line in pg_hba.conf, or a role that is gone or may not log in (28000), another password (28P01).
const DENIALS: [&str; 5] = ["3D000", "55000", "42501", "28000", "28P01"];
/// SQLSTATE of a server that starts up or shuts down.
const CLOSED: [u8; 5] = *b"57P03";

/// A connection that is logged in.
pub(super) struct LoggedIn {
    pub(super) fresh: Fresh,
    /// The way that it took.
    pub(super) route: Route,
    /// The choice that it goes by.
    pub(super) generation: u64,
}

/// Connects and logs in. Of several servers one that hangs, shuts down, or says that it is a standby, is no longer waited for where another is
/// used, and is met again otherwise: until `deadline`.
pub(super) async fn reach(house: &House, account: &Account, deadline: Instant) -> Result<LoggedIn, NotMade> {
    let nodes = &house.nodes;
    loop {
        let Reached { stream, route, generation } =
            connect(nodes, &house.security(), deadline, deadline).await.map_err(|unreachable| {
                let names = house.settings.load().listener.servers.join(", ");
                NotMade::Failed(format!("no connection to the server {names}: {}", unreachable.why))
            })?;
        let fresh = tokio::select! {
            biased;
            fresh = timeout_at(deadline, login(stream, account)) => fresh.ok(),
            () = nodes.another_than(generation) => None,
        };
        let why = match fresh {
            Some(Ok(fresh)) if !(nodes.knows_roles() && is_standby(&fresh)) => {
                return Ok(LoggedIn { fresh, route, generation });
            }
            Some(Ok(_)) => format!("the server {} is a standby", route.address()),
            Some(Err(failed)) if !(nodes.knows_roles() && is_closed(&failed)) => return Err(not_let_in(failed)),
            Some(Err(failed)) => failed.to_string(),
            None => format!("the server {} did not finish the login in time", route.address()),
        };
        if clock::now() >= deadline {
            return Err(NotMade::Failed(why));
        }
        nodes.doubt(deadline).await;
    }
}

/// PostgreSQL 14 and newer report it with each login.
fn is_standby(fresh: &Fresh) -> bool {
    fresh.parameters.iter().any(|parameter| *parameter.name == *b"in_hot_standby" && *parameter.value == *b"on")
}

fn is_closed(failed: &LoginFailed) -> bool {
    matches!(failed, LoginFailed::Rejected(rejection) if rejection.failure.sqlstate == CLOSED)
}

/// A server that has no room is full, and one that does not want this client is well: neither is broken.
fn not_let_in(failed: LoginFailed) -> NotMade {
    let LoginFailed::Rejected(rejection) = &failed else { return NotMade::Failed(failed.to_string()) };
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
    use crate::server::login::Rejection;
    use crate::wire::{Failure, Severity};

    #[test]
    fn what_is_the_clients_own_fault_is_told_apart_from_a_server_that_is_full_or_broken() {
        let of = |sqlstate: &[u8; 5]| {
            let failure = Failure { sqlstate: *sqlstate, fatal: Severity::Fatal };
            let rejection = Rejection { failure, message: "no".to_owned(), words: bytes::Bytes::new() };
            not_let_in(LoginFailed::Rejected(Box::new(rejection)))
        };
        for sqlstate in DENIALS {
            let denied = of(sqlstate.as_bytes().first_chunk().unwrap());
            assert_eq!(denied, NotMade::Denied { sqlstate, message: "no".to_owned() });
        }
        assert!(matches!(of(b"53300"), NotMade::Full(_)));
        for sqlstate in [b"57P03", b"XX000", b"58P01", b"22023"] {
            assert!(matches!(of(sqlstate), NotMade::Failed(_)));
        }
        assert!(matches!(not_let_in(LoginFailed::Gone), NotMade::Failed(_)));
    }
}
