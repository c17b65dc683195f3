//! The back: connections to the database.
//!
//! [`nodes`] chooses the server, [`connect`] reaches it: it [`dial`]s and [`secure`]s. [`login`] logs in as an [`account`] with what `prove` has to show, or tells
//! what has [`failed`] or is [`lacking`], and [`reach`] does all of it until the server is the right one; a connection of a [`pool`] is a [`pooled`] one.
//! [`backend`] knows which process is cancelled by what [`route`], and [`reported`] what a server has told of a session's parameters.

pub mod account;
pub mod backend;
pub mod connect;
pub mod dial;
pub mod failed;
pub mod lacking;
pub mod login;
pub mod nodes;
pub mod pool;
pub mod pooled;
mod prove;
pub mod reach;
pub mod reported;
pub mod route;
pub mod secure;
