//! Reach the server that is chosen: dial it, encrypt it where that is asked for, all within one deadline.

use tokio::time::{Instant, timeout_at};

use super::dial::{Unreachable, host, resolve_and_dial};
use super::nodes::Nodes;
use super::route::Route;
use super::secure::Security;
use crate::clock;
use crate::net::stream::Stream;

/// An open connection to the server that was chosen.
#[derive(Debug)]
pub struct Reached {
    /// The connection; nothing has been sent.
    pub stream: Stream,
    /// The way that it took: a cancel goes the same.
    pub route: Route,
    /// The choice that it goes by.
    pub generation: u64,
}

/// Connects to the primary, by what `security` says when it is dialled; each address that its name has is tried in turn. Where there
/// are several servers and none of them is one, or the one that was chosen can't be dialled, waits until `patience` for another choice.
/// Cancel-safe.
///
/// # Errors
/// No address accepted before the deadline, the one that did has no TLS as it is asked for, or no server is the primary.
pub async fn connect(
    nodes: &Nodes,
    security: impl Fn() -> Security,
    patience: Instant,
    deadline: Instant,
) -> Result<Reached, Unreachable> {
    let patience = patience.min(deadline);
    loop {
        let (server, generation) = nodes.primary_by(patience).await?;
        // Not before there is a server to dial: a reload may ask for another way while we wait for one.
        let security = security();
        let reached = async {
            timeout_at(deadline, secured(&server, &security)).await.unwrap_or_else(|_| Err(Unreachable::late()))
        };
        let reached = tokio::select! {
            biased;
            reached = reached => reached,
            // One that hangs is not waited for where another has taken its place.
            () = nodes.another_than(generation) => continue,
        };
        match reached {
            Ok((stream, route)) => return Ok(Reached { stream, route, generation }),
            Err(unreachable) if !nodes.several() || clock::now() >= patience => return Err(unreachable),
            Err(_) => nodes.doubt(patience).await,
        }
    }
}

async fn secured(server: &str, security: &Security) -> Result<(Stream, Route), Unreachable> {
    let (stream, address) = resolve_and_dial(server).await?;
    let host = host(server);
    let stream = security.secure(stream, host).await?;
    let route = Route::of(&stream, address, security, host);
    Ok((stream, route))
}
