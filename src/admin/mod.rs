//! HTTP: `/metrics`, `/healthz`, `/readyz` are open; all else must come from here and bring the token.
//!
//! It runs on the console's thread. Nothing here looks at a server: a probe that does takes every proxy out of the balance
//! at the moment when a server is slow.

mod door;
mod guard;
mod http;
mod nodes;
mod pages;
mod report;
mod state;

pub use door::serve;
pub use guard::Token;
pub use http::Http;
pub use state::state_collector;
