//! A claim: who says to be whom, before it is proven.

use std::sync::Arc;

use crate::clock::Instant;
use crate::roster::Identity;

use super::address::AddressKey;
use super::identify::RecordKey;
use super::records::{Known, RecordId};

/// An identity that somebody claims: from `claim` until the login is proven or given up.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) identity: Identity,
    pub(super) label: Arc<str>,
    pub(super) base: RecordKey,
    pub(super) address: AddressKey,
    pub(super) known: Known,
    pub(super) parts: Vec<ClaimPart>,
    pub(super) login_since: Option<Instant>,
}

/// One cap of a claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimPart {
    pub(super) record: RecordId,
    pub(super) max_connections: Option<usize>,
    pub(super) rated: bool,
}
