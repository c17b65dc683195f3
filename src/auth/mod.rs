//! Who somebody is: SCRAM and the older ways, from both sides, and the secrets behind them.
//!
//! Floodwall checks its clients here where `login` says so, and logs in to servers with what it learnt: a [`Proof`]. The best of
//! these is the client's own key, which SCRAM gives away to whoever holds the verifier: with it Floodwall logs in to a server that
//! has the same verifier, and no password is kept anywhere.
//!
//! - [`scram`] is the exchange, [`md5`] the older hash, [`saslprep`] what becomes of a password before it is hashed;
//! - [`accounts`] says what proves that somebody is a user;
//! - [`query`] asks a server for that;
//! - [`mod@derive`] turns passwords into keys on threads of its own, since each costs a millisecond of processor time.
//!
//! Secrets are compared in constant time and never show in `Debug`.

pub mod accounts;
pub mod derive;
pub mod md5;
mod proof;
pub mod query;
pub mod saslprep;
pub mod scram;

pub use self::proof::{Password, Proof};
