//! The data path: a client and its server, from the login to the end.

pub mod analyst;
pub mod break_glass;
pub mod cancel;
pub mod durations;
pub mod end;
pub mod flow;
pub mod house;
pub mod judge;
pub mod ledger;
pub mod local;
pub mod login;
pub mod manner;
pub mod memo;
pub mod memory;
pub mod overseer;
pub mod policy;
pub mod prepared;
pub mod reader;
pub mod relay;
pub mod serve;
pub mod sight;
pub mod timing;
pub mod welcome;
