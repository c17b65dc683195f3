//! Why a client was not believed.

use std::time::Duration;

use crate::auth::derive::NotDerived;
use crate::auth::scram::Turned;
use crate::net::framed::Broken;
use crate::wire::Malformed;

/// What the log says of most of them.
pub(super) const WRONG_PASSWORD: &str = "wrong password";

/// Why a client was not believed.
#[derive(Debug)]
pub enum Unproven {
    /// It did not prove it. The words are for the log alone.
    Wrong(&'static str),
    /// It gave an empty password, which is nobody's.
    Empty,
    /// It is not heard for so long, since others from there were wrong as the same user.
    Barred(Duration),
    /// It sent what is no message.
    Malformed(Malformed),
    /// It left.
    Gone,
    /// Keys could not be derived.
    NotDerived(NotDerived),
    /// The server could not be asked for what proves it.
    Unavailable,
}

impl From<Broken> for Unproven {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Malformed(why) => Self::Malformed(why),
            Broken::Closed | Broken::Io(_) => Self::Gone,
        }
    }
}

impl From<Malformed> for Unproven {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl From<NotDerived> for Unproven {
    fn from(why: NotDerived) -> Self {
        Self::NotDerived(why)
    }
}

impl From<Turned> for Unproven {
    fn from(why: Turned) -> Self {
        match why {
            Turned::Malformed => Self::Malformed(Malformed::Content),
            Turned::Mechanism => Self::Wrong("it chose a mechanism that was not offered"),
            Turned::Downgrade => {
                Self::Wrong("it was told that channel binding is not possible: somebody stands between")
            }
            Turned::Binding => Self::Wrong("it is bound to another TLS channel: somebody stands between"),
            Turned::Proof => Self::Wrong(WRONG_PASSWORD),
            Turned::Random => Self::Wrong("the system has no random numbers"),
        }
    }
}
