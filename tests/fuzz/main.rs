//! Random input from numbered seeds. Each target runs for `FLOODWALL_FUZZ_SECONDS` (1 by default).
//!
//! The seeds are the same in each run; `FLOODWALL_FUZZ_SEED=random` tries new ones. A failure names its seed, and
//! `FLOODWALL_FUZZ_SEED=… cargo test --test fuzz NAME` plays it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test may fail and says what it tried"
)]

mod logins;
mod order;
mod pass;
mod phase;
mod readers;
mod seed;
mod server;
mod structure;
#[path = "../relay/support.rs"]
#[allow(dead_code, reason = "shared with the relay's tests")]
mod support;
