//! A server that takes the settings of a client that comes: what it makes of them is what its pool's clients are greeted with.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;

use super::dress::{Dressing, LOST_MAX};
use super::exchange::Exchange;
use super::greetings::Greeting;
use super::maker::Maker;
use super::own::Fault;
use super::turns::Turns;
use super::{Lender, Lent};
use crate::client::refuse;
use crate::server::pool::{Lease, Member as _, Unserved};
use crate::session::state::replay::{Replay, replay};
use crate::session::state::{Settings, Stain};
use crate::wire::{Refusal, Severity};

/// Why no server took the settings.
pub(in crate::session) enum Unfit {
    /// Nobody with these settings comes in now.
    All(Refusal),
    /// That this client does not come in says nothing of others.
    One(Refusal),
}

/// Waits for a server that takes the settings of a client that comes, to hear what it makes of them. One that is lost meanwhile is
/// replaced by another. Where none is there, newcomers' servers are made one after the other. Cancel-safe: the server at hand is closed.
pub(in crate::session) async fn fitted(
    pool: &Rc<Lender>,
    startup: &Arc<Settings>,
    newcomers: &Turns,
) -> Result<Greeting, Unfit> {
    let mut lease = Lease::new(Rc::clone(pool));
    if !lease.try_take(|server| server.hold.wears(startup, None)) {
        let _turn = newcomers.take().await;
        take(&mut lease, pool).await?;
    }
    let mut lost = 0;
    loop {
        let Some(server) = lease.server() else { return Err(Unfit::One(refuse::server_gone())) };
        let fault = match try_on(pool, server, startup).await {
            Ok(()) => {
                let at = (server.process.backend().route().clone(), server.choice.generation);
                let greeting = Greeting { server: at, parameters: Arc::clone(&server.parameters) };
                lease.give();
                return Ok(greeting);
            }
            Err(Fault::Raised(raised)) => return Err(Unfit::All(fatal(refuse::settings_failed(&raised)))),
            Err(fault @ (Fault::Gone | Fault::Late)) => fault,
        };
        if let Some(server) = lease.release() {
            server.close();
        }
        lost += 1;
        if lost >= LOST_MAX {
            let why = fault.words(pool.maker().patience());
            return Err(Unfit::One(fatal(refuse::servers_lost(LOST_MAX, &why))));
        }
        take(&mut lease, pool).await?;
    }
}

async fn take(lease: &mut Lease<Maker>, pool: &Lender) -> Result<(), Unfit> {
    poll_fn(|cx| lease.poll_take(cx, |_| true)).await.map_err(|unserved| unfit(&unserved, pool))
}

fn unfit(unserved: &Unserved, pool: &Lender) -> Unfit {
    let refusal = fatal(super::unserved(unserved, pool));
    if matches!(unserved, Unserved::NotMade(_)) { Unfit::All(refusal) } else { Unfit::One(refusal) }
}

/// Gives a server the settings of a client that comes.
async fn try_on(pool: &Rc<Lender>, server: &mut Lent, startup: &Arc<Settings>) -> Result<(), Fault> {
    let stain = if server.hold.stained_by.is_some() { Stain::Stained } else { Stain::None };
    let mut bytes = BytesMut::new();
    if replay(&server.hold.settings, startup, stain, &mut bytes) == Replay::Sent {
        server.hold.known.forget_unnamed();
        let mut dressing = Dressing::new(Exchange::new(bytes), pool);
        poll_fn(|cx| dressing.poll(cx, server)).await?;
    }
    server.hold.settings = Arc::clone(startup);
    server.hold.stained_by = None;
    Ok(())
}

fn fatal(refusal: Refusal) -> Refusal {
    Refusal { severity: Severity::Fatal, ..refusal }
}
