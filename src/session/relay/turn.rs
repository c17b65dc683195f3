//! What a session does of its work before other sessions of the worker get their turn.

/// Frames of either side that are looked at in one turn: a read may hold ten thousand of them.
const FRAMES: u16 = 1_000;

/// What a turn of the task has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) client: Share,
    pub(super) server: Share,
}

/// What one side has had of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// It had nothing to read: nothing comes before the next turn.
    pub(super) silent: bool,
    /// Frames of it that may still be looked at.
    pub(super) frames: u16,
}

impl Turn {
    pub(super) const NEW: Self = Self { client: Share::NEW, server: Share::NEW };

    /// Has either side had its share?
    pub(super) const fn is_over(self) -> bool {
        self.client.frames == 0 || self.server.frames == 0
    }
}

impl Share {
    const NEW: Self = Self { silent: false, frames: FRAMES };
}
