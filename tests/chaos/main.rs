//! Servers die, clients die, the wire between them is narrow, and nobody gets what belongs to another.
//!
//! Clients with scripts of their own choice work, and leave in the middle of anything; every reply has to carry the token of the client
//! that asked. Between calm times server processes are ended or killed, and connections are frozen or cut. At the end nothing may be held.
//!
//! Server processes are killed outright in [`storm`], connections to them frozen and cut in [`strait`]; clients die at any byte of their login
//! and at any phase of their work in [`deaths`], some only fall silent; sockets with buffers of 4 KiB are in [`conn`] and [`strait`], slow
//! readers in [`turns`], cancels there and, a hundred at once, in [`cancels`].
//!
//! `FLOODWALL_CHAOS_SECONDS` is how long all of it takes (30 by default), `FLOODWALL_CHAOS_SEED` where its choices come from, and
//! `FLOODWALL_CHAOS_CLIENTS` how many there are at a time. A failure names its seed; what the clients do is the same with the same seed,
//! when they do it is not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may fail, runs on the machine's clock and says what it did"
)]

mod after;
mod cancels;
mod client;
mod conn;
mod deaths;
mod landing;
mod late_cancel;
mod ledger;
mod picture;
mod scene;
#[path = "../fuzz/seed.rs"]
#[allow(dead_code, reason = "shared with the tests on random input")]
mod seed;
mod storm;
mod strait;
#[path = "../support/mod.rs"]
mod support;
mod turns;
mod weather;

use scene::Mode;

#[test]
fn each_client_has_a_server() {
    scene::run(Mode::Session);
}

#[test]
fn all_clients_share_one_server() {
    scene::run(Mode::Transaction(1));
}

#[test]
fn all_clients_share_three_servers() {
    scene::run(Mode::Transaction(3));
}

#[test]
fn all_clients_share_twenty_servers() {
    scene::run(Mode::Transaction(20));
}

#[test]
fn half_of_the_clients_share_three_servers_beside_the_others() {
    scene::run(Mode::Mixed(3));
}
