//! What the client library means where it does not say so.

use std::error::Error as _;

/// Has the server asked for a password where none was given? It is there, then. The library has no kind for that, only words.
pub fn lacks_password(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|cause| cause.to_string() == "password missing")
}
