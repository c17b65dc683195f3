//! The data path: a client and its server, from the login to the end.

pub mod beat;
pub mod bound;
pub mod break_glass;
pub mod budget;
pub mod cancel;
pub mod durations;
pub mod end;
pub mod findings;
pub mod house;
pub mod judge;
pub mod ledger;
pub mod lending;
pub mod local;
pub mod measured;
pub mod memo;
pub mod memory;
pub mod named;
pub mod overseer;
pub mod pace;
pub mod pipeline;
pub mod policy;
pub mod portals;
pub mod prepared;
pub mod reader;
pub mod relay;
pub mod serve;
pub mod sight;
pub mod state;
pub mod statements;
pub mod stream;
pub mod tidy;
pub mod timing;
mod unread;
mod values;
pub mod watch;
pub mod welcome;

#[cfg(test)]
mod sizes;
