//! What PgBouncer's manual promises of a pool, each promise as a case of our own (`config.md`, `usage.md` and the features page of 1.26).
//!
//! A test's name is given as `file::test`; without a path it is of this folder, otherwise of `tests/live`. What is marked with `*`
//! Floodwall keeps in another way, and README, "What differs from PgBouncer", says how.
//!
//! | promise | kept by |
//! |---|---|
//! | a cancel stops the statement of its own client | `../pooling::cancels_hit_only_their_own_client_on_a_pool_of_one`, `../cancel` |
//! | a cancel that comes with its statement finds it, at a server of the client's own and inside a transaction as well * | `../cancel::a_cancel_right_behind_its_statement_finds_it_and_none_that_comes_later`, `cancel::a_cancel_inside_a_transaction_hits_a_statement_that_nobody_has_read_yet` |
//! | a key that is wrong, or of a client without a statement, stops nobody's | `cancel::a_key_that_leads_to_no_statement_stops_nobodys` |
//! | inside a transaction it fails the transaction | `cancel::a_cancelled_transaction_is_rolled_back_and_its_server_goes_on` |
//! | a client that waits for a server can cancel | `cancel::who_waits_for_a_server_that_is_being_made_can_cancel` |
//! | `sv_being_canceled`: no server is given on while a cancel is on its way | `cancel::a_cancel_that_comes_too_late_finds_nobody` |
//! | `cancel_wait_timeout` * (5 s, fixed) | the same |
//! | COPY in and out, in both protocols; the server stays for all of it | `copy::a_copy_keeps_its_server_to_the_end` |
//! | a copy of any size | `copy::a_large_copy_goes_through_among_others` |
//! | a copy that fails, is broken off or cancelled costs nobody else anything | `copy::a_copy_that_fails_leaves_a_clean_server` |
//! | a client that is gone in a copy | `copy::who_leaves_in_a_copy_leaves_nothing` |
//! | a client that is gone in a CALL | `calls::who_dies_in_a_call_leaves_what_it_has_committed_and_no_more` |
//! | `max_client_conn` (`caps.max_clients`) | `../caps::the_listener_is_full` |
//! | `max_db_client_connections`, `max_user_client_connections` (`[[client]]`) | `limits::clients_of_a_database_and_of_a_user_are_bounded` |
//! | `default_pool_size`: for each user and database | `limits::each_user_and_database_has_a_pool` |
//! | `pool_mode`, `pool_size`, `min_pool_size` of a database or a user (`[[pool]]`) | `../pool_modes`, `../pool_bounds`, `../imported` |
//! | `dbname`, `user`, `password` of a database (`[[database]]`) | `../databases` |
//! | `max_db_connections`, of all and of one | `parts::a_database_has_so_many_servers_of_all_its_users`, `../imported` |
//! | where it is reached, an idle server of another pool is closed | the same, `limits::idle_servers_of_one_pool_make_room_for_another` |
//! | `min_pool_size` * (kept without a client too) | `limits::a_pool_keeps_its_least` |
//! | `min_pool_size` beyond `max_db_connections` | `limits::a_least_that_is_over_the_most_is_the_most` |
//! | a login that the server denies is taken off every count | `limits::logins_that_the_server_denies_leave_no_client_behind` |
//! | `reserve_pool_size` * | none: `min_guaranteed_pool_size` is the reserve of pools that come late |
//! | `max_user_connections`, of all and of one | `parts::a_user_has_so_many_servers_in_all_databases`, `../imported` |
//! | one user's load does not keep another one out | `limits::a_pool_without_a_server_is_served_beside_one_that_never_rests` |
//! | a client has a server from its request to the end of its transaction | `limits::only_who_has_asked_something_gets_a_server`, `limits::a_goodbye_ends_nothing_that_was_asked_for` |
//! | `server_round_robin = 0`: last in, first out | `limits::the_server_used_last_is_used_next` |
//! | RELOAD changes pool sizes: larger at once, smaller as servers are released | `limits::a_reload_changes_the_size_of_a_pool` |
//! | RELOAD with another `host`: servers go there as they are released | `limits::a_reload_leads_lent_servers_to_another_address` |
//! | `max_prepared_statements`: as many at a server, the one used longest ago goes | `prepared::a_server_keeps_so_many_statements` |
//! | `max_prepared_statements = 0` * (not to be had) | `tests/pure/import.rs` |
//! | a statement is prepared again where its client gets another server | `prepared::a_statement_outlives_its_server` |
//! | one name, two texts, two clients; Close | `prepared::names_are_their_clients_own` |
//! | a server is kept from the first message to the Sync | `prepared::what_is_flushed_keeps_its_server_to_the_sync` |
//! | texts, values and names beyond every buffer | `prepared::texts_values_and_names_of_any_size_are_prepared_and_run` |
//! | COPY in a prepared statement | `prepared::a_prepared_copy_runs_and_fails_as_any_other` |
//! | a pipeline that fails, and its Sync long after | `prepared::the_sync_of_a_failed_pipeline_may_come_late` |
//! | PAUSE waits for the Sync | `prepared::a_pause_comes_behind_the_sync_of_a_pipeline` |
//! | `total_client_parse_count`, `total_server_parse_count`, `total_bind_count` | `prepared::what_is_prepared_and_bound_is_counted` |
//! | errors of names are the server's own | `prepared::names_are_their_clients_own`, `prepared::what_failed_to_be_prepared_has_no_name` |
//! | one text is prepared once at a server | `../prepared::each_client_has_its_own_names_on_one_server` |
//! | DEALLOCATE ALL and DISCARD ALL take a client's own alone | `../prepared::who_discards_all_takes_nothing_from_others` |
//! | `cached plan must not change result type` * (once) | `../prepared::a_table_that_changed_fails_once_and_then_works` |
//! | PREPARE by SQL * (pins the server) | `../leaks::what_cannot_move_pins_its_server_until_it_is_gone` |
//! | `query_wait_timeout` * (the session stays) | `../pooling::a_statement_that_waits_too_long_fails_and_its_session_lives` |
//! | `query_wait_notify` * | none: SHOW CLIENTS tells who waits |
//! | `server_idle_timeout` | `timeouts::an_idle_server_goes_and_one_at_work_stays` |
//! | `server_lifetime`, never inside a transaction; at an unused one too | `timeouts::a_server_outlives_its_time_only_in_a_transaction` |
//! | `idle_transaction_timeout`, `transaction_timeout` (rules) | `timeouts::a_transaction_that_takes_too_long_ends_with_its_client` |
//! | `query_timeout` * (`statement_timeout`: the session stays) | `timeouts::a_query_that_takes_too_long_is_stopped_and_nobody_elses` |
//! | `query_timeout`, `idle_transaction_timeout` of a user | `timeouts::a_user_has_time_limits_of_its_own` |
//! | `client_idle_timeout` | `timeouts::a_client_that_idles_too_long_is_ended` |
//! | `client_login_timeout` (`caps.login_timeout`) | `timeouts::a_login_has_an_end` |
//! | `server_connect_timeout` | `timeouts::a_server_that_says_nothing_is_given_up` |
//! | `server_login_retry` * (0.1 s to 2 s) | `timeouts::who_comes_while_the_server_is_away_is_told_at_once` |
//! | `server_check_query`: a dead connection is given to nobody | `timeouts::connections_that_died_while_idle_are_given_to_nobody` |
//! | a server that is lost under a statement * (outside a transaction the session stays) | `lost::a_server_that_dies_under_a_statement_costs_its_client_that_statement`, `lost::a_server_that_dies_with_more_than_a_statement_takes_its_session_along` |
//! | `track_extra_parameters` and those that are always tracked * (all are) | `parameters::settings_that_are_reported_follow_their_client`, `../leaks` |
//! | `ignore_startup_parameters` * (all are taken) | `../leaks::start_up_settings_share_one_pool` |
//! | `options` and long start-up packets | `parameters::start_up_packets_may_be_long_and_odd` |
//! | replication connections pass, each with a server of its own | `parameters::replication_has_a_server_of_its_own_beside_the_pool` |
//! | a login that the server refuses is told with its words | `parameters::a_database_that_does_not_exist_is_told_in_the_servers_words` |
//! | `auth_query`; SCRAM without a password kept anywhere | `auth::a_password_that_changes_holds_for_the_next_login_and_the_next_server`, `../logins` |
//! | `client_tls_sslmode`, `server_tls_sslmode` | `../tls` |
//! | `auth_type = cert` | `../tls_logins::a_certificate_is_a_login` |
//! | `client_tls_protocols`, `server_tls_protocols` (`protocols`) | `tls::versions_that_are_left_out_are_not_spoken` |
//! | `client_tls_sslmode` changed by RELOAD | `tls::a_reload_switches_the_encryption_of_clients_on_and_off` |
//! | new certificates after RELOAD, connections stay | `../tls::a_renewed_certificate_is_shown_from_the_reload_on_and_a_broken_one_never` |
//! | changed TLS settings have servers connected anew | `tls::a_reload_that_asks_for_encryption_reaches_lent_servers` |
//! | cancel over TLS | `tls::a_cancel_comes_and_goes_encrypted`, `../tls` |
//! | SIGUSR1, SIGUSR2, SIGQUIT, SIGTERM * and SIGINT (a drain has an end) | `signals::signals_that_pause_and_resume_end_no_process`, `signals::a_quit_ends_at_once` |
//! | `SHUTDOWN WAIT_FOR_SERVERS` * (who waits for a server is served) | `signals::a_drain_serves_who_waits_already`, `signals::a_drain_in_a_pause_ends_those_who_wait_for_its_end` |
//! | `SHUTDOWN WAIT_FOR_CLIENTS` | `signals::a_shutdown_that_waits_for_clients_ends_with_the_last_of_them` |
//! | `SUSPEND`, `SET` * (not to be had) | `tests/steer/commands.rs` |
//! | `client_tls_ciphers`, `client_tls_ecdhcurve`, … * | none: those of rustls |
//! | direct TLS | `../tls::tls_from_the_first_byte_wants_the_protocols_name` |
//! | `unix_socket_dir`, for clients and servers | `../entry::unix_sockets_on_both_sides_carry_sessions_and_cancels` |
//! | `so_reuseport`, `peers` * (of one host) | `../handover` |
//! | a list of hosts * (the primary of them) | `../nodes` |
//! | `disable_pqexec`, `connect_query`, `login_notify_message`, `application_name_add_host`, `max_packet_size` * | none |
//! | exporters read its columns | `../exporters`, `tests/steer/exporters.rs` |
//! | RECONNECT, WAIT_CLOSE, KILL, DISABLE, ENABLE with pools | `../operate_pools` |
//! | SHOW, PAUSE, RESUME, RECONNECT, KILL, … | the console's own tests |

mod auth;
mod calls;
mod cancel;
mod copy;
mod deaf;
mod gate;
mod limits;
mod lost;
mod parameters;
mod parts;
mod prepared;
mod signals;
mod timeouts;
mod tls;

use crate::pooling::Pooled;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Message, Raw};

/// A pool of so many servers whose clients need no password; `keys` are lines of the listener and tables behind them.
fn pool(label: &str, size: usize, keys: &str) -> Pooled {
    Pooled::new(label, size, &format!("{keys}\n[[access]]\nmethod = 'trust'\n"))
}

/// A client of the pool of `app`.
fn join(pool: &Pooled) -> Raw {
    join_as(pool, "app", &pool.site.database)
}

fn join_as(pool: &Pooled, user: &str, database: &str) -> Raw {
    let session = Raw::login(pool.site.proxy.port, user, database);
    session.unwrap_or_else(|error| panic!("{user} at {database}: {}", error.summary()))
}

/// The only value of the only row.
fn one(client: &mut Raw, sql: &str) -> String {
    let rows = client.rows(sql);
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}: {rows:?}");
    rows[0][0].clone()
}

/// Process id of the server that the client has for this statement.
fn pid(client: &mut Raw) -> String {
    one(client, "SELECT pg_backend_pid()")
}

/// A cancel request with a client's key: never answered.
fn cancel(pool: &Pooled, key: &(u32, Vec<u8>)) {
    raw::cancel(pool.site.proxy.port, key.0, &key.1);
}

/// The state of the transaction that a whole reply ends with.
fn state(reply: &[Message]) -> u8 {
    reply.last().filter(|message| message.code == b'Z').expect("ReadyForQuery").body[0]
}

/// The end of a test whose servers stay: clients and waiters are gone.
fn leave(pool: &Pooled) {
    let proxy = &pool.site.proxy;
    let held = || ["floodwall_clients", "floodwall_sessions", "floodwall_waiting"].map(|name| proxy.held(name));
    assert!(wait_until(SOON, || held() == [0.0; 3]), "{:?}\n{}", held(), proxy.log());
}

/// Changes the configuration file and has it read.
fn reload(pool: &Pooled, old: &str, new: &str) {
    let proxy = &pool.site.proxy;
    let text = proxy.config_text();
    assert!(text.contains(old), "{old}\n{text}");
    proxy.write_config(&text.replace(old, new));
    proxy.console("RELOAD").unwrap();
}
