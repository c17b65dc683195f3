//! Permits: each gives back on drop exactly what it holds, and lets the next in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::Admission;
use super::want::Held;

/// What a permit holds, with the way back.
#[derive(Debug)]
pub(super) struct Slot {
    admission: Arc<Admission>,
    held: Option<Held>,
}

impl Slot {
    pub(super) fn new(admission: Arc<Admission>, held: Held) -> Self {
        Self { admission, held: Some(held) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.admission.give_back(held);
        }
    }
}

/// A claimed identity, forgotten on drop.
#[derive(Debug)]
pub(super) struct ClaimSeat {
    pub(super) admission: Arc<Admission>,
    pub(super) number: u64,
}

impl Drop for ClaimSeat {
    fn drop(&mut self) {
        self.admission.drop_claim(self.number);
    }
}

/// How long a newcomer waited, and for which cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// The cap that was full when it came.
    pub rule: &'static str,
    /// How long it waited.
    pub time: Duration,
}

/// A socket whose start-up packet has not come yet.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct LobbyPermit(#[expect(dead_code, reason = "held for its drop")] pub(super) Slot);

/// A cancel request on its way to the server.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct CancelPermit(#[expect(dead_code, reason = "held for its drop")] pub(super) OwnedSemaphorePermit);

/// A place at the listener and one of its address.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct HousePermit {
    pub(super) _slot: Slot,
    /// Boxed, since most do not wait.
    pub(super) waited: Option<Box<Waited>>,
}

/// A server connection.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct ServerPermit {
    pub(super) _slot: Slot,
    /// Boxed, since most do not wait.
    pub(super) waited: Option<Box<Waited>>,
}

/// A login in progress of an identity that is claimed, not proven.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct LoginPermit {
    // The order matters: the login ends before its claim is forgotten.
    pub(super) slot: Slot,
    pub(super) claim: ClaimSeat,
    pub(super) label: Arc<str>,
    pub(super) waited: Option<Box<Waited>>,
}

/// The places of a proven client, one of each cap that applies to it.
#[derive(Debug)]
#[must_use = "dropping it gives the places back"]
pub struct ClientPermit {
    pub(super) _slot: Slot,
    pub(super) label: Arc<str>,
    pub(super) waited: Option<Box<Waited>>,
}

impl HousePermit {
    /// How long the newcomer waited; `None` where it got in at once.
    pub fn waited(&self) -> Option<Waited> {
        self.waited.as_deref().copied()
    }
}

impl ServerPermit {
    /// How long the newcomer waited; `None` where it got in at once.
    pub fn waited(&self) -> Option<Waited> {
        self.waited.as_deref().copied()
    }
}

impl LoginPermit {
    /// The label that the client will have, once proven. Not for a metric before that: anybody may claim any name.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// How long the newcomer waited; `None` where it got in at once.
    pub fn waited(&self) -> Option<Waited> {
        self.waited.as_deref().copied()
    }
}

impl ClientPermit {
    /// Label of the client: the name of its first `[[client]]` entry, else its key. Bounded in number.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Takes another copy of the same label, which others have as well.
    pub fn share_label(&mut self, label: &Arc<str>) {
        if self.label == *label {
            self.label = Arc::clone(label);
        }
    }

    /// How long the newcomer waited once it was proven; `None` where it got in at once.
    pub fn waited(&self) -> Option<Waited> {
        self.waited.as_deref().copied()
    }
}
