//! What live tests stand on: throwaway servers, the built proxy, a client that speaks the protocol by hand.
//!
//! Every test crate compiles this folder for itself and uses a part of it.

#![allow(dead_code, reason = "each test crate uses a part of the shared support")]
#![allow(unreachable_pub, reason = "the folder is public to its test crate, which exports nothing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "live tests run on the machine's clock and show what was sent as text")]

pub mod cluster;
pub mod command;
pub mod floodwall;
pub mod http;
pub mod lock;
pub mod mariadb;
pub mod ports;
pub mod process;
pub mod raw;
pub mod site;
