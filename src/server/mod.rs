//! The back: connections to the database.

pub mod backend;
pub mod connect;
pub mod login;
pub mod nodes;
pub mod pool;
pub mod pooled;
mod prove;
