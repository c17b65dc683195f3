//! As whom Floodwall logs in to a server.

use crate::auth::Proof;

/// As whom to log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Role.
    pub user: String,
    /// Database. A pool's is the one that clients ask for, until a server is dialled.
    pub database: String,
    /// Further start-up parameters, in this order.
    pub parameters: Vec<(String, String)>,
    /// With what.
    pub proof: Proof,
}
