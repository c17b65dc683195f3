//! How many sockets may be there that have not said what they want.

/// Bounds of the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LobbyLimits {
    /// Sockets in all.
    pub(super) all: usize,
    /// Sockets of one address.
    pub(super) per_address: usize,
}

/// The lobby of a small house: a few thousand dials at once are nothing unusual after a restart.
pub(super) const LOBBY_LEAST: usize = 4096;

impl LobbyLimits {
    /// Room for as many as may be in at once, who all may dial at once. One address may fill three quarters.
    pub(super) fn of_house(max_clients: usize) -> Self {
        let all = max_clients.max(LOBBY_LEAST);
        Self { all, per_address: all.saturating_sub(all / 4) }
    }
}
