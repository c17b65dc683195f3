//! What becomes of the keys of `[pgbouncer]` that no key of ours takes over.

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Something of ours takes it over: see `convert`.
    Taken,
    /// It needs no setting here: nothing to tell.
    Idle,
    /// It has no equivalent: what to do instead.
    Gone(&'static str),
}

/// What becomes of a key; `None` where PgBouncer has no such key.
pub(super) fn fate(key: &str) -> Option<Fate> {
    if TAKEN.contains(&key) {
        return Some(Fate::Taken);
    }
    if IDLE.contains(&key) {
        return Some(Fate::Idle);
    }
    GONE.iter().find(|(name, _)| *name == key).map(|(_, advice)| Fate::Gone(advice))
}

const TAKEN: &[&str] = &[
    "auth_dbname",
    "auth_file",
    "auth_hba_file",
    "auth_query",
    "auth_type",
    "auth_user",
    "client_idle_timeout",
    "client_login_timeout",
    "client_tls_ca_file",
    "client_tls_cert_file",
    "client_tls_key_file",
    "client_tls_protocols",
    "client_tls_sslmode",
    "default_pool_size",
    "disable_pqexec",
    "idle_transaction_timeout",
    "listen_addr",
    "listen_port",
    "max_client_conn",
    "max_db_client_connections",
    "max_db_connections",
    "max_prepared_statements",
    "max_user_client_connections",
    "max_user_connections",
    "min_pool_size",
    "pool_mode",
    "query_timeout",
    "query_wait_timeout",
    "server_connect_timeout",
    "server_fast_close",
    "server_idle_timeout",
    "server_lifetime",
    "server_tls_ca_file",
    "server_tls_cert_file",
    "server_tls_key_file",
    "server_tls_protocols",
    "server_tls_sslmode",
    "so_reuseport",
    "transaction_timeout",
    "unix_socket_dir",
];

/// Built in, or about the inside of PgBouncer.
const IDLE: &[&str] = &[
    "conffile",
    "dns_max_ttl",
    "dns_nxdomain_ttl",
    "dns_zone_check_period",
    "ignore_startup_parameters",
    "job_name",
    "listen_backlog",
    "log_pooler_errors",
    "max_packet_size",
    "pkt_buf",
    "pool_idle_timeout",
    "resolv_conf",
    "sbuf_loopcnt",
    "scram_iterations",
    "service_name",
    "stats_period",
    "suspend_timeout",
    "tcp_defer_accept",
    "tcp_keepalive",
    "tcp_keepcnt",
    "tcp_keepidle",
    "tcp_keepintvl",
    "tcp_socket_buffer",
    "tcp_user_timeout",
    "track_extra_parameters",
];

const GONE: &[(&str, &str)] = &[
    (
        "admin_users",
        "the console has users of its own: write an [[admin.user]] with role = \"admin\" and password_env for each",
    ),
    ("application_name_add_host", "application_name passes unchanged; SHOW CLIENTS tells the address of each client"),
    ("auth_ident_file", "there is no ident; a user name that differs from the certificate's has to be the same"),
    ("auth_ldap_options", "there is no LDAP: use login = \"users\" or \"query\" with SCRAM"),
    (
        "autodb_idle_timeout",
        "databases are not declared, so none is forgotten; server_idle_timeout closes idle connections",
    ),
    ("cancel_wait_timeout", "cancel requests have a lane of their own and do not wait for the pool"),
    ("client_tls13_ciphers", "the cipher suites of TLS 1.2 and 1.3 are those of rustls, none of them weak"),
    ("client_tls_ciphers", "the cipher suites of TLS 1.2 and 1.3 are those of rustls, none of them weak"),
    ("client_tls_dheparams", "finite-field Diffie-Hellman is not offered; elliptic curves are"),
    ("client_tls_ecdhcurve", "the curves are those of rustls"),
    ("load_balance_hosts", "with several servers Floodwall finds the one that is right by its role and health"),
    ("log_connections", "set [log] level = \"info\" or \"debug\"; connections are counted as metrics"),
    ("log_disconnections", "set [log] level = \"info\" or \"debug\"; connections are counted as metrics"),
    ("log_stats", "/metrics has the figures; nothing is written to the log each minute"),
    ("login_notify_message", "a client is told nothing at its login: what it sees is the server's own"),
    ("logfile", "the log goes to standard error: let systemd or the container keep it"),
    (
        "peer_id",
        "processes of one host that share a port by `reuse_port`, and a `state_dir`, pass cancel requests on by themselves; others do not",
    ),
    ("pidfile", "no file is written: let systemd or the container know the process"),
    ("query_wait_notify", "a client is not told that it waits; SHOW CLIENTS and the metrics are"),
    (
        "reserve_pool_size",
        "there is no second pool: add it to pool_size; the queue and query_wait_timeout smooth bursts",
    ),
    ("reserve_pool_timeout", "there is no second pool: add reserve_pool_size to pool_size"),
    ("server_check_delay", "an idle server is looked at each time before it is used: one that has closed is not"),
    ("server_check_query", "an idle server is looked at each time before it is used: one that has closed is not"),
    (
        "server_login_retry",
        "after a failure servers are dialled again with pauses that grow from 0.1 s to 2 s; who has no server is told at once",
    ),
    (
        "server_reset_query",
        "a session is cleaned of what it left behind, as it is known, before another client gets it",
    ),
    ("server_reset_query_always", "a session is cleaned of what it left behind, in every pool mode"),
    ("server_round_robin", "the connection used last is used next, so that idle ones can be closed"),
    ("server_tls13_ciphers", "the cipher suites of TLS 1.2 and 1.3 are those of rustls, none of them weak"),
    ("server_tls_ciphers", "the cipher suites of TLS 1.2 and 1.3 are those of rustls, none of them weak"),
    (
        "stats_users",
        "the console has users of its own: write an [[admin.user]] with role = \"read\" and password_env for each",
    ),
    ("syslog", "the log goes to standard error: let systemd or the container keep it"),
    ("syslog_facility", "the log goes to standard error: let systemd or the container keep it"),
    ("syslog_ident", "the log goes to standard error: let systemd or the container keep it"),
    ("unix_socket_group", "set the group of the folder that unix_socket names"),
    ("unix_socket_mode", "set the mode of the folder that unix_socket names"),
    ("user", "start it as that user: User= of systemd, USER of the image"),
    ("verbose", "set [log] level = \"debug\""),
];
