//! Tests without sockets and without time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail"
)]

#[cfg(feature = "proxy")]
mod bounds;
mod cli;
#[cfg(feature = "proxy")]
mod config;
#[cfg(feature = "proxy")]
mod docs;
mod guard;
mod import;
mod layers;
#[cfg(feature = "proxy")]
mod linter;
mod long_texts;
mod mysql;
#[cfg(feature = "proxy")]
mod refusals;
mod source;
mod sql;
#[cfg(feature = "proxy")]
mod statements;
mod traces;
#[cfg(feature = "proxy")]
mod traffic;
mod twins;
mod values;
