//! What is known of one server.

use super::probe::{Found, Role};
use crate::clock;
use crate::telemetry::rows::NodeRow;

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has looked.
    Unknown,
    /// It answers.
    Up,
    /// It does not, or says that it can't serve.
    Down,
}

impl State {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is known of one server.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub(super) state: State,
    pub(super) role: Role,
    /// `clock::uptime_ms` of the last change of either.
    since_ms: u64,
    /// The last fault; it stays when the server is well again.
    pub(super) error: Option<String>,
}

impl Health {
    pub(super) fn unknown() -> Self {
        Self { state: State::Unknown, role: Role::Unknown, since_ms: clock::uptime_ms(), error: None }
    }

    /// Notes a probe. What state it was in, where state or role changed.
    pub(super) fn note(&mut self, found: &Found) -> Option<State> {
        let (state, role) = match found {
            Found::Role(role) => (State::Up, *role),
            // It is there; what it is has not changed as far as anybody knows.
            Found::Refused(_) => (State::Up, self.role),
            Found::Down(_) => (State::Down, self.role),
        };
        if let Some(why) = found.fault() {
            self.error = Some(why.to_owned());
        }
        if (self.state, self.role) == (state, role) {
            return None;
        }
        let before = self.state;
        (self.state, self.role, self.since_ms) = (state, role, clock::uptime_ms());
        Some(before)
    }

    pub(super) fn is_down(&self) -> bool {
        self.state == State::Down
    }

    /// So it was when it was asked last, whether it answers now or not.
    pub(super) fn is_primary(&self) -> bool {
        self.role == Role::Primary
    }

    pub(super) fn is_standby(&self) -> bool {
        (self.state, self.role) == (State::Up, Role::Standby)
    }

    /// As people see it; `used` is the server that is used.
    pub(super) fn row(self, listener: &str, server: &str, used: Option<&str>) -> NodeRow {
        NodeRow {
            listener: listener.to_owned(),
            server: server.to_owned(),
            state: self.state.label(),
            role: self.role.label(),
            used: used == Some(server),
            since_ms: self.since_ms,
            error: self.error,
        }
    }
}
