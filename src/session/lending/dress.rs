//! The settings of a client, given to the server that it is lent, before anything of the client is sent there; a name alone goes
//! [`ahead`](super::ahead) of it.
//!
//! A server that is lost meanwhile has run nothing, so another one takes its place.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;

use super::borrowed::Borrowed;
use super::exchange::{Broken, Exchange};
use super::kept::Dress;
use super::own::{Fault, Own, Patience};
use super::{Lender, Lent};
use crate::client::refuse;
use crate::session::state::replay::{Progress, Replaying};
use crate::wire::pg::own::Raised;

/// Servers that one statement, or one login, may lose in a row before it is told.
pub(super) const LOST_MAX: u8 = 3;

/// The settings of a client on their way to a server of its pool.
pub(super) struct Dressing {
    exchange: Exchange,
    replaying: Replaying,
    pool: Rc<Lender>,
    patience: Patience,
}

impl Dressing {
    pub(super) fn new(exchange: Exchange, pool: &Rc<Lender>) -> Self {
        let patience = Box::pin(pool.maker().loses_patience());
        Self { exchange, replaying: Replaying::default(), pool: Rc::clone(pool), patience }
    }

    /// What the server said meanwhile that is for the client.
    fn into_aside(self) -> BytesMut {
        self.exchange.into_aside()
    }

    /// Ready once the server has taken them, or will not.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, server: &mut Lent) -> Poll<Result<(), Fault>> {
        let Self { exchange, replaying, pool, patience } = self;
        let reported = Arc::make_mut(&mut server.parameters);
        let mut progress = Progress::Going;
        let took = exchange.poll(cx, &mut server.stream, |event| progress = replaying.take(event, reported));
        let Poll::Ready(end) = took else { return patience.as_mut().poll(cx).map(|()| Err(Fault::Late)) };
        Poll::Ready(match (end, progress) {
            (Ok(_), Progress::Done) => {
                server.parameters = pool.maker().shared(Arc::clone(&server.parameters));
                Ok(())
            }
            (Ok(_), Progress::Failed(raised)) => Err(Fault::Raised(raised)),
            (Ok(_), Progress::Going) | (Err(Broken), _) => Err(Fault::Gone),
        })
    }
}

impl Borrowed {
    /// The server at hand gets the settings of its client, where it has others.
    pub(super) fn redress(&mut self) {
        let Some(server) = self.lease.server() else { return };
        match self.kept.dress(server, self.entry.number) {
            Dress::Nothing => self.took(),
            Dress::Ahead(exchange) => {
                self.own = Own::Naming(Box::new(exchange));
                // Nearly always all of it goes out at once; what waits is polled again.
                let _ = self.poll_named(&mut Context::from_waker(Waker::noop()));
            }
            Dress::Before(exchange) => {
                self.own = Own::Dressing(Box::new(Dressing::new(exchange, self.lease.pool())));
            }
        }
    }

    /// Ready once the name of the application is on its way, or the server is lost.
    pub(super) fn poll_named(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sent = match (&mut self.own, self.lease.server()) {
            (Own::Naming(exchange), Some(server)) => ready!(exchange.poll_sent(cx, &mut server.stream)),
            _ => Err(Broken),
        };
        self.own = Own::Nothing;
        match (sent, self.lease.server()) {
            (Ok(()), Some(server)) => {
                self.ahead = Some(Box::new(self.kept.named(server)));
                self.lost = 0;
                self.took();
            }
            _ => self.undressed(&Fault::Gone),
        }
        Poll::Ready(())
    }

    pub(super) fn poll_dressed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let dressed = match (&mut self.own, self.lease.server()) {
            (Own::Dressing(dressing), Some(server)) => ready!(dressing.poll(cx, server)),
            _ => Err(Fault::Gone),
        };
        let done = std::mem::replace(&mut self.own, Own::Nothing);
        if let Own::Dressing(dressing) = done
            && !self.kept.pins.is_none()
        {
            // It listens for this client.
            self.words.unsplit(dressing.into_aside());
        }
        match dressed {
            Ok(()) => self.dressed(),
            Err(Fault::Raised(raised)) => self.not_taken(&raised),
            Err(fault @ (Fault::Gone | Fault::Late)) => self.undressed(&fault),
        }
        Poll::Ready(())
    }

    fn dressed(&mut self) {
        let Some(server) = self.lease.server() else { return };
        self.kept.dressed(server);
        self.lost = 0;
        self.took();
    }

    fn not_taken(&mut self, raised: &Raised) {
        // Another role may not set what the login did. The server is as it was, and holds what cannot move.
        if !self.kept.pins.is_none() {
            return self.took();
        }
        self.close();
        self.fail(refuse::settings_failed(raised));
    }

    /// The server is lost. What it held of its session is lost with it; where that was nothing, another one will do.
    fn undressed(&mut self, fault: &Fault) {
        let why = self.words(fault);
        if !self.kept.pins.is_none() {
            return self.lose(&why);
        }
        self.close();
        self.lost = self.lost.saturating_add(1);
        if self.lost >= LOST_MAX {
            self.lost = 0;
            self.fail(refuse::servers_lost(LOST_MAX, &why));
        }
    }
}
