//! Who accepts: the first worker, at all doors. A client that it serves itself, and with one worker that is everybody, comes in without
//! another thread having to be woken on the way.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::oneshot;

use super::Job;
use super::listeners::Open;
use crate::client::door::{Door, Sharing};
use crate::client::listener::accept;
use crate::control::Shutdown;
use crate::session::house::House;
use crate::worker::Workers;

/// Has the first worker accept at the doors of all listeners until the shutdown begins, and where they are handed over a little longer.
/// What is returned is done when all of them are closed.
pub(super) async fn hand_out(open: &mut [Open], workers: &Arc<Workers<Job>>) -> impl Future<Output = ()> + 'static {
    let mut closed = Vec::new();
    for Open { doors, house, sharing } in open {
        for door in doors.drain(..) {
            let (house, sharing, givers) = (Arc::clone(house), *sharing, Arc::clone(workers));
            let (open, shut) = oneshot::channel::<()>();
            let accepting = async move || {
                attend(door, sharing, &house, &givers).await;
                drop(open);
            };
            workers.host(accepting).await;
            closed.push(shut);
        }
    }
    join_all(closed).map(drop)
}

async fn attend(door: Door, sharing: Sharing, house: &Arc<House>, workers: &Workers<Job>) {
    let entrance = match door.settle() {
        Ok(entrance) => entrance,
        Err(error) => {
            return tracing::error!(listener = %house.name, %error, "nobody is accepted here: the system has nothing left");
        }
    };
    let mut shutdowns = house.common.control.shutdowns();
    let stop = async { drop(shutdowns.wait_for(|how| *how != Shutdown::No).await) };
    let give = |arrival| workers.give((Arc::clone(house), arrival));
    accept(&entrance, &house.admission, &house.common.gate, give, (stop, sharing)).await;
}
