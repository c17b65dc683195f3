//! Accepting HTTP connections: bounded in number, size and time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::http::Http;
use super::pages;
use crate::telemetry::{Gate, Pass};

/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Request line and headers of one request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// From the first byte of a request, or the end of the last one, to the end of its headers.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// A connection is closed after so long, whatever it does; its client opens another.
const CONNECTION_MAX: Duration = Duration::from_secs(120);
/// What a request under way may still take then.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// After a failed accept: descriptors may be short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP until `stop` completes; then its connections are closed. Cancel safe: dropped, it closes them as well.
pub async fn serve(listener: TcpListener, http: Http, stop: impl Future<Output = ()>) {
    let router = pages::router(http);
    let (room, gate) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Gate::default());
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(permit) => drop(connections.spawn(connection(stream, router.clone(), permit))),
                    Err(_) => turn_away(&gate, peer),
                },
                Err(error) => accept_failed(&gate, &error).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, router: Router, _permit: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // A probe by hand may close its side as soon as it has asked.
        .half_close(true);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    // How it ends concerns only its client.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = tokio::time::sleep(CONNECTION_MAX) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(CLOSE_WAIT, connection).await;
        }
    }
}

fn turn_away(gate: &Gate, peer: SocketAddr) {
    if let Pass::Write { suppressed } = gate.pass("full") {
        tracing::warn!(%peer, suppressed, "HTTP connection refused: too many are open");
    }
}

async fn accept_failed(gate: &Gate, error: &io::Error) {
    if let Pass::Write { suppressed } = gate.pass("accept") {
        tracing::warn!(%error, suppressed, "HTTP accept failed");
    }
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
