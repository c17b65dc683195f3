//! The back: connections to the database.

pub mod connect;
