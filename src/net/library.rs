//! The client library: its connections, and what it means where it does not say so.

use std::error::Error as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::Connection;

/// What carries a connection of the library's. Dropped together with its client, it lets the connection say goodbye, so that a server
/// need not log it as broken off; one whose server still owes an answer is cut a second later.
#[derive(Debug)]
pub struct Carried {
    _left: oneshot::Sender<()>,
}

impl Carried {
    /// Begins to carry it, as a task of this runtime. What goes wrong reaches the client's calls.
    pub fn of<S, T>(connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (_left, left) = oneshot::channel::<()>();
        tokio::spawn(carry(connection, left));
        Self { _left }
    }
}

async fn carry<S, T>(mut connection: Connection<S, T>, left: oneshot::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        _ended = &mut connection => return,
        _ = left => {}
    }
    drop(timeout(LEAVING, connection).await);
}

/// How long a connection may take to end after its client.
const LEAVING: Duration = Duration::from_secs(1);

/// Has the server asked for a password where none was given? It is there, then. The library has no kind for that, only words.
pub fn lacks_password(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|cause| cause.to_string() == "password missing")
}
