//! A connection to the server that is used, logged in; where that one turns out not to be it any more, to the next.

use tokio::time::{Instant, timeout_at};

use super::account::Account;
use super::connect::{Reached, connect};
use super::dial::Unreachable;
use super::failed::LoginFailed;
use super::login::{Fresh, login};
use super::nodes::Nodes;
use super::route::Route;
use super::secure::Security;
use crate::address::Endpoint;
use crate::clock;
use crate::wire::pg::reply::Parameter;

/// SQLSTATE of a server that starts up or shuts down.
const CLOSED: [u8; 5] = *b"57P03";

/// A connection that is logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// What the login gave.
    pub fresh: Fresh,
    /// The way that it took.
    pub route: Route,
    /// The choice that it goes by.
    pub generation: u64,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NotReached {
    /// No connection.
    #[error(transparent)]
    Unreachable(Unreachable),
    /// The server did not let us in.
    #[error(transparent)]
    Login(LoginFailed),
    /// It says that it is a standby, and there was no other in time.
    #[error("the server {0} is a standby")]
    Standby(Endpoint),
    /// It did not finish the login in time.
    #[error("the server {0} did not finish the login in time")]
    Late(Endpoint),
}

/// Connects and logs in. Of several servers one that hangs, shuts down, or says that it is a standby, is no longer waited for where
/// another is used, and is met again otherwise: until `patience`, and a login that is under way until `deadline`. `security` is how
/// servers are met when it is asked, which is before each dial. Cancel-safe: the connection is lost.
///
/// # Errors
/// See [`NotReached`]: of the last one.
pub async fn reach(
    nodes: &Nodes,
    security: impl Fn() -> Security,
    account: &Account,
    patience: Instant,
    deadline: Instant,
) -> Result<LoggedIn, NotReached> {
    loop {
        let reached = connect(nodes, &security, patience, deadline).await.map_err(NotReached::Unreachable)?;
        let Reached { stream, route, generation } = reached;
        let fresh = tokio::select! {
            biased;
            fresh = timeout_at(deadline, login(stream, account)) => fresh.ok(),
            () = nodes.another_than(generation) => None,
        };
        let why = match fresh {
            Some(Ok(fresh)) if !(tells_standby(&fresh) && nodes.knows_primary(generation)) => {
                return Ok(LoggedIn { fresh, route, generation });
            }
            Some(Ok(_)) => NotReached::Standby(route.address().clone()),
            Some(Err(failed)) if !(is_closed(&failed) && nodes.knows_primary(generation)) => {
                return Err(NotReached::Login(failed));
            }
            Some(Err(failed)) => NotReached::Login(failed),
            None => NotReached::Late(route.address().clone()),
        };
        if clock::now() >= patience {
            return Err(why);
        }
        nodes.doubt(patience).await;
    }
}

fn tells_standby(fresh: &Fresh) -> bool {
    fresh.parameters.iter().any(Parameter::tells_standby)
}

fn is_closed(failed: &LoginFailed) -> bool {
    matches!(failed, LoginFailed::Rejected(rejection) if rejection.failure.sqlstate == CLOSED)
}
