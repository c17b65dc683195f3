//! SQLSTATEs (PostgreSQL manual, appendix A).

/// Will never pass, however often it is tried.
pub(super) const PERMANENT: &str = "54000";
/// May pass later: too many connections.
pub(super) const LATER: &str = "53300";
/// Out of memory.
pub(super) const MEMORY: &str = "53200";
/// The protocol was broken.
pub(super) const PROTOCOL: &str = "08P01";
/// The connection to the server broke.
pub(super) const CONNECTION: &str = "08006";
/// No connection to the server could be made.
pub(super) const UNREACHABLE: &str = "08001";
/// An operator ended the connection.
pub(super) const SHUTDOWN: &str = "57P01";
/// Cannot connect now.
pub(super) const NOT_NOW: &str = "57P03";
/// The login is not accepted.
pub(super) const AUTHORIZATION: &str = "28000";
/// The password is wrong.
pub(super) const WRONG_PASSWORD: &str = "28P01";
/// A statement was cancelled.
pub(super) const CANCELLED: &str = "57014";
/// The server's own for a transaction that stays idle.
pub(super) const IDLE_IN_TRANSACTION: &str = "25P03";
/// The server's own for a session that stays idle outside a transaction.
pub(super) const IDLE_SESSION: &str = "57P05";
/// The server's own, from PostgreSQL 17 on, for a transaction that stays open.
pub(super) const TRANSACTION_TIMEOUT: &str = "25P04";
/// The server's own for a name that is taken.
pub(super) const DUPLICATE_STATEMENT: &str = "42P05";
/// object_not_in_prerequisite_state, as the server says where a session has no last value.
pub(super) const PREREQUISITE: &str = "55000";
/// The server's own for a database that does not exist.
pub(super) const NO_DATABASE: &str = "3D000";
/// A thing that this version does not do.
pub(super) const UNSUPPORTED: &str = "0A000";
