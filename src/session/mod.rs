//! The data path: a client and its server, from the login to the end.
//!
//! [`serve`] takes a session from its socket to its end. [`welcome`] lets its client in; [`relay`] moves the bytes, with a server of the
//! client's own or one of [`lending`], and asks an [`overseer`] what it thinks of them. That is the [`ledger`], the books of one session:
//! it asks the [`judge`], who goes by what [`reader`] has read, keeps the [`timing`], and knows whom to [`cancel`]. What a client leaves in
//! a lent server is told in [`state`] and [`statements`].
//!
//! Sessions share the [`house`] of their listener, with the [`policy`] for each client and one [`memory`] for all, and what is [`local`] to
//! their worker, with its [`pace`].

pub mod cancel;
pub mod end;
pub mod house;
pub mod judge;
pub mod ledger;
pub mod lending;
pub mod local;
pub mod memory;
pub mod overseer;
pub mod pace;
pub mod policy;
pub mod reader;
pub mod relay;
pub mod serve;
pub mod state;
pub mod statements;
pub mod timing;
pub mod watch;
pub mod welcome;

#[cfg(test)]
mod sizes;
