//! The name of an application that goes ahead of its client's first statement, and the server's answer to it.
//!
//! Clients of one pool often differ in nothing else: each service, or each of its processes, has a name of its own. No answer depends
//! on it, so nobody needs to wait until the server has taken it, as with any other setting ([`dress`](super::dress)): a statement
//! that ran under an earlier name, since the server would not take the new one, ran as it was meant to.

use std::sync::Arc;

use super::Lent;
use super::borrowed::Borrowed;
use crate::server::reported::Reported;
use crate::session::relay::Whose;
use crate::session::state::Settings;
use crate::session::state::replay::NAME;
use crate::wire::pg::code::server;
use crate::wire::pg::reply::{failure, parameter};
use crate::wire::{Head, Malformed, Severity};

/// What the server has before it has taken the name.
#[derive(Debug)]
pub(super) struct Ahead {
    settings: Arc<Settings>,
    reported: Arc<Reported>,
    failed: bool,
}

impl Ahead {
    /// The name is on its way to this server, for a session that wants these settings and was told this.
    pub(super) fn sent(server: &mut Lent, wants: &Arc<Settings>, told: &Arc<Reported>) -> Self {
        let settings = std::mem::replace(&mut server.hold.settings, Arc::clone(wants));
        let reported = std::mem::replace(&mut server.parameters, Arc::clone(told));
        Self { settings, reported, failed: false }
    }

    /// The answer has come to its end. A server that would not take the name has what it had before.
    fn ends(self, server: &mut Lent) {
        if self.failed {
            server.hold.settings = self.settings;
            server.parameters = self.reported;
        }
    }
}

impl Borrowed {
    /// The server has sent a message. Whose it is, where it answers the name; `None`: it does not.
    pub(super) fn hears_ahead(&mut self, head: Head, frame: &[u8]) -> Result<Option<Whose>, Malformed> {
        let (Some(ahead), Some(server)) = (&mut self.ahead, self.lease.server()) else { return Ok(None) };
        match head.code {
            server::COMMAND_COMPLETE => {}
            // It goes away, and takes the statement along.
            server::ERROR if failure(frame).fatal == Severity::Fatal => return Ok(None),
            server::ERROR => ahead.failed = true,
            server::PARAMETER_STATUS if parameter(frame).is_some_and(|news| *news.name == *NAME) => {}
            server::PARAMETER_STATUS | server::NOTICE | server::NOTIFICATION => return Ok(None),
            server::READY => {
                if let Some(ahead) = self.ahead.take() {
                    ahead.ends(server);
                }
            }
            _ => return Err(Malformed::OutOfStep),
        }
        Ok(Some(Whose::Ours))
    }
}
