//! The back: connections to the database.

pub mod connect;
pub mod login;
pub mod nodes;
mod prove;
pub mod route;
pub mod secure;
