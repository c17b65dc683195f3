//! The only words that clients read.
//!
//! Every text starts with `FLOODWALL[rule=NAME]` and says what to do instead. SQLSTATEs: 54000 for what will never pass,
//! 53300 for what may pass later (libraries retry the classes 08, 40, 53 and 57).
//!
//! Who is not let in is told by `login`, for want of room by `caps`; who has no server by `pool`, or `server` where something is wrong with
//! that; whose statement is not run by `statements`; and what an operator has said by `operator`.

mod caps;
mod code;
mod login;
mod operator;
mod pool;
mod sentence;
mod server;
mod statements;

pub use self::caps::{denied, server_full};
pub use self::login::{
    certificate_user, channel_binding, console_is_elsewhere, crowded, empty_password, login_timeout, malformed,
    no_access, no_user, no_verifier, not_derived, not_heard, not_utf8, replication, server_login, startup_unfit,
    tls_required, trusted, unsupported_protocol, wrong_password,
};
pub use self::operator::{closing, disabled, draining, idle_too_long, killed, paused};
pub use self::pool::{Lack, pool_denied, pool_has_no_server, pool_queue_full, pool_waited};
pub use self::server::{
    NO_CONNECTION, moved, outdated, server_gone, server_lost, server_malformed, server_shut_down, server_unreachable,
    servers_lost, session_lost, standby,
};
pub use self::statements::{
    breach, cancelled_unsent, cancelled_while_waiting, foreign_sequence, memory, name_too_long, overrun,
    query_in_pipeline, settings_failed, statement_exists, statement_too_long, timed_out, too_many_statements,
};
