//! The front: who comes in, and what those read who do not.

pub mod access;
pub mod admission;
pub mod channel;
pub mod door;
pub mod listener;
pub mod login;
pub mod matching;
pub mod pools;
pub mod proxied;
pub mod refuse;
pub mod startup;
