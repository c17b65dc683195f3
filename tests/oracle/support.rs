//! The throwaway servers of the main package's tests.

#![allow(dead_code, unreachable_pub, reason = "shared with other test crates, each of which uses a part")]
#![allow(clippy::disallowed_methods, reason = "tests with servers run on the machine's clock")]

#[path = "../support/cluster.rs"]
pub mod cluster;
#[path = "../support/ports.rs"]
pub mod ports;
#[path = "../support/process.rs"]
pub mod process;
