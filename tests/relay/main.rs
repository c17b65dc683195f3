//! The relay between a scripted client and a scripted server, over in-memory pipes and a clock that stands still.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test says what it found by failing"
)]

mod budget;
mod cancels;
mod flood;
mod guarded;
mod held;
mod judged;
mod late;
mod lent;
mod pg;
mod portal;
mod steps;
mod support;
