//! The admin console: the PostgreSQL protocol, since `psql` is the client that everybody has.
//!
//! ```text
//! door       accepts, counts, deadline         (a TCP port with SCRAM, a Unix socket with the peer's uid)
//!   login    start-up packet, SCRAM            accounts: who may log in, password: the generated one
//!     session    simple and extended queries   wire: exactly cut frames in, messages out
//!       commands     one file each             sources: all that a command may see or do
//! ```
//!
//! It runs on a thread of its own and sees nothing of sessions but the roster, so that it answers while the data path is at
//! its limit. `pgwire` supplies messages and the SCRAM exchange; frames are cut here, since its decoder reads beyond the
//! frame it is given and panics on short bodies. A panic ends one console connection, nothing else.

mod accounts;
mod answer;
mod averages;
mod bounds;
mod commands;
mod desk;
mod door;
mod extended;
mod keys;
mod login;
mod password;
mod pools;
mod session;
mod socket;
mod sources;
mod wire;

pub use accounts::{Accounts, AccountsError};
pub use averages::Averages;
pub use door::{Doors, OpenError, serve};
pub use password::read_or_make as generated_secret;
pub use sources::{ClientsMost, PartsMost, Reload, Rows, Sources, Steer};
