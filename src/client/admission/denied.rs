//! Why a newcomer was not let in. The words are `client::refuse`'s.

use std::time::Duration;

/// A newcomer that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Name of the cap, one of `guard::caps::ALL`.
    pub rule: &'static str,
    /// Whose cap it is: the label of a client, `address`, `database`, `user` or `listener`.
    pub scope: String,
    /// What was held at the moment of the refusal.
    pub current: usize,
    /// What may be held.
    pub limit: usize,
    /// The cap that the newcomer would have waited for, where `rule` is `queue_length`.
    pub behind: Option<Box<Behind>>,
    /// How long it had waited.
    pub waited: Duration,
    /// What kind of refusal it is.
    pub reason: Reason,
    /// Whether the client may see the counts.
    pub disclose: Disclose,
}

/// The cap that a newcomer could not even queue for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Name of the cap.
    pub rule: &'static str,
    /// Whose cap it is.
    pub scope: String,
    /// What was held.
    pub current: usize,
    /// What may be held.
    pub limit: usize,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No place, and newcomers don't wait.
    Full,
    /// No place, and no room to wait.
    QueueFull,
    /// No place came free in time.
    WaitedTooLong,
    /// Too many new connections a second.
    Rate,
}

/// What a refusal may tell the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclose {
    /// The counts too: the login is proven, or its address has proven this client before.
    Counts,
    /// The name of the rule only.
    NameOnly,
}
