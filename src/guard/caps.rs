//! Connection caps: counts and limits in, yes or [`Over`] out.
//!
//! Pure: who counts, who waits and who is told is the business of `client::admission`.

/// Clients of one listener.
pub const MAX_CLIENTS: &str = "max_clients";
/// Clients of one address.
pub const ADDRESS_MAX_CONNECTIONS: &str = "address_max_connections";
/// Proven connections of one client.
pub const CLIENT_MAX_CONNECTIONS: &str = "client_max_connections";
/// New connections a second of one client.
pub const NEW_CONNECTIONS_PER_SECOND: &str = "new_connections_per_second";
/// Logins in progress, in all.
pub const MAX_LOGINS: &str = "max_logins";
/// Logins in progress of one address.
pub const MAX_LOGINS_PER_ADDRESS: &str = "max_logins_per_address";
/// Server connections of one listener.
pub const MAX_SERVER_CONNECTIONS: &str = "max_server_connections";
/// Server connections of one database.
pub const MAX_DB_CONNECTIONS: &str = "max_db_connections";
/// Server connections of one role.
pub const MAX_USER_CONNECTIONS: &str = "max_user_connections";
/// Newcomers that wait at one listener.
pub const QUEUE_LENGTH: &str = "queue_length";

/// Every cap, in the order in which a newcomer meets them.
pub const ALL: [&str; 10] = [
    MAX_CLIENTS,
    ADDRESS_MAX_CONNECTIONS,
    MAX_LOGINS,
    MAX_LOGINS_PER_ADDRESS,
    MAX_DB_CONNECTIONS,
    MAX_USER_CONNECTIONS,
    MAX_SERVER_CONNECTIONS,
    CLIENT_MAX_CONNECTIONS,
    NEW_CONNECTIONS_PER_SECOND,
    QUEUE_LENGTH,
];

/// Those that count server connections.
pub const OF_SERVERS: [&str; 3] = [MAX_DB_CONNECTIONS, MAX_USER_CONNECTIONS, MAX_SERVER_CONNECTIONS];

/// A cap that has no place for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Name of the cap, as in the configuration, the metrics and the errors.
    pub rule: &'static str,
    /// What is held now.
    pub current: usize,
    /// What may be held.
    pub limit: usize,
}

/// A cap with its limit; no limit means that it always has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    rule: &'static str,
    limit: Option<usize>,
}

impl Cap {
    /// A cap of that name.
    pub const fn new(rule: &'static str, limit: Option<usize>) -> Self {
        Self { rule, limit }
    }

    /// Whether one more fits beside `current`; over and at the limit alike it does not, and the error tells the figures.
    pub fn admit(self, current: usize) -> Result<(), Over> {
        match self.limit {
            Some(limit) if current >= limit => Err(Over { rule: self.rule, current, limit }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_admits_up_to_its_limit() {
        let table: [(Option<usize>, usize, bool); 6] = [
            (None, usize::MAX, true),
            (Some(0), 0, false),
            (Some(1), 0, true),
            (Some(1), 1, false),
            (Some(60), 59, true),
            (Some(60), 61, false),
        ];
        for (limit, current, fits) in table {
            let verdict = Cap::new(MAX_CLIENTS, limit).admit(current);
            assert_eq!(verdict.is_ok(), fits, "{current} of {limit:?}");
        }
    }

    #[test]
    fn a_refusal_names_cap_count_and_limit() {
        let over = Cap::new(CLIENT_MAX_CONNECTIONS, Some(60)).admit(60);
        assert_eq!(over, Err(Over { rule: CLIENT_MAX_CONNECTIONS, current: 60, limit: 60 }));
    }
}
