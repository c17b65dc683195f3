//! The console and the HTTP pages, driven from outside: by drivers, by `psql`, by hand-made bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "these tests run on the machine's clock")]

mod commands;
mod drivers;
mod exporters;
mod hostile;
mod http;
mod login;
mod report;
mod support;
