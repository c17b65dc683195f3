//! Accepts clients and hands them over. Never waits for one of them.

use std::io::{self, Read as _, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustix::io::Errno;
use tokio::time::{Instant, sleep, timeout_at};

use super::admission::{Admission, LobbyPermit};
use super::door::{Entrance, Entrant, Sharing};
use super::refuse;
use crate::address::Endpoint;
use crate::clock;
use crate::net::arrived::Arrived;
use crate::telemetry::{Gate, Pass};
use crate::wire::pg::refusal;

/// How long nothing is accepted when the system has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a door that is handed over stays open for those who had begun to connect: some round trips.
const RETIRING: Duration = Duration::from_millis(500);

/// A client that has just been accepted.
#[derive(Debug)]
pub struct Arrival {
    /// Its socket, prepared and of no runtime.
    pub stream: Arrived,
    /// Where it comes from; a load balancer's, where there is one.
    pub peer: Endpoint,
    /// Our address, as it dialled it.
    pub local: Endpoint,
    /// When it was accepted: all deadlines of its login count from here.
    pub accepted: Instant,
    /// Its place among those who have not said what they want.
    pub lobby: LobbyPermit,
}

/// Accepts clients until `stop` is done, and where the door is handed over, those who had begun to connect by then. `hand_over`
/// may wait for a worker; the kernel's queue takes what comes meanwhile. Nobody who was accepted is lost by the end.
pub async fn accept<F: Future<Output = ()>>(
    door: &Entrance,
    admission: &Arc<Admission>,
    gate: &Gate,
    hand_over: impl Fn(Arrival) -> F,
    (stop, sharing): (impl Future<Output = ()>, Sharing),
) {
    let mut stop = pin!(stop);
    loop {
        let entrant = tokio::select! {
            biased;
            () = stop.as_mut() => break,
            entrant = door.accept() => entrant,
        };
        take_in(entrant, admission, gate, &hand_over).await;
    }
    if sharing == Sharing::HandOver {
        if let Err(error) = door.hush() {
            tracing::warn!(%error, "newcomers can't be kept off during the hand-over; one or two may be reset");
        }
        let until = clock::now() + RETIRING;
        while let Ok(entrant) = timeout_at(until, door.accept()).await {
            take_in(entrant, admission, gate, &hand_over).await;
        }
    }
}

async fn take_in<F: Future<Output = ()>>(
    entrant: io::Result<Entrant>,
    admission: &Arc<Admission>,
    gate: &Gate,
    hand_over: &impl Fn(Arrival) -> F,
) {
    match entrant {
        Ok(entrant) => {
            if let Some(arrival) = receive(entrant, admission, gate) {
                hand_over(arrival).await;
            }
        }
        Err(error) if exhausted(&error) => {
            let line = || tracing::error!(%error, "accepting is paused: descriptors or memory are used up");
            log(gate, "accept", line);
            sleep(PAUSE).await;
        }
        // The client was gone before it was accepted.
        Err(error) => tracing::debug!(%error, "accept failed"),
    }
}

fn receive(entrant: Entrant, admission: &Arc<Admission>, gate: &Gate) -> Option<Arrival> {
    let Entrant { socket, peer, local } = entrant;
    let accepted = clock::now();
    let Some(lobby) = admission.lobby(peer.ip()) else {
        let line = || tracing::warn!(%peer, "turned away: too many connections that have not said what they want");
        log(gate, "lobby", line);
        turn_away(socket);
        return None;
    };
    Some(Arrival { stream: socket, peer, local, accepted, lobby })
}

/// Says why, as far as that goes without waiting. What the client sent already is read first: a socket that is closed while
/// something lies unread resets the connection, and the words with it.
fn turn_away(mut socket: Arrived) {
    let mut words = BytesMut::new();
    refusal::error(&refuse::crowded(), &mut words);
    // It is set not to block, so neither call waits.
    drop(socket.read(&mut [0; 1024]));
    drop(socket.write(&words));
}

fn exhausted(error: &io::Error) -> bool {
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

fn log(gate: &Gate, key: &str, line: impl Fn()) {
    if let Pass::Write { .. } = gate.pass(key) {
        line();
    }
}
