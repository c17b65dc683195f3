//! The back: connections to the database.

pub mod connect;
pub mod login;
pub mod secure;
