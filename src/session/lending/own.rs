//! What is ours to do at a server that is lent: the settings of its client before the first statement, and the question what was left
//! behind after the last one. The session has no server meanwhile.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::borrowed::Borrowed;
use super::dress::Dressing;
use super::exchange::{Broken, Exchange};
use super::kept::Kept;
use super::waiting::UNSERVED;
use crate::client::refuse;
use crate::clock;
use crate::net::stream::Stream;
use crate::server::pool::Standing;
use crate::session::state::Findings;
use crate::session::state::pins::Reason;
use crate::traffic::Count;
use crate::units::{display_bytes, display_duration};
use crate::wire::pg::own::{Event, Raised};
use crate::wire::{Refusal, Transaction};

/// What is under way.
pub(super) enum Own {
    Nothing,
    /// It has no server, and a cancel wants to know whether it has something to do.
    Looking,
    /// A cancel is on its way to the server: a question must not be hit by it.
    Landing(Pin<Box<dyn Future<Output = ()>>>),
    /// It is asked what was left.
    Asking(Box<Asking>),
    /// It takes the settings of its client.
    Dressing(Box<Dressing>),
    /// The name of its client's application goes there.
    Naming(Box<Exchange>),
}

/// Done when a server, or whoever else, has had its time.
pub(super) type Patience = Pin<Box<dyn Future<Output = ()>>>;

/// The question what was left.
pub(super) struct Asking {
    exchange: Exchange,
    findings: Findings,
    raised: Option<Raised>,
    patience: Patience,
}

/// Why something of ours at a server came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server raised this error.
    Raised(Raised),
    /// It closed, or said what belongs to no answer.
    Gone,
    /// It had its time and did not answer.
    Late,
}

impl Fault {
    /// One sentence of a server that had so much time.
    pub(super) fn words(&self, patience: Duration) -> String {
        match self {
            Self::Raised(raised) => format!("The server raised {}.", display_bytes(&raised.sqlstate)),
            Self::Gone => "The server closed the connection.".to_owned(),
            Self::Late => format!("The server did not answer within {}.", display_duration(patience)),
        }
    }
}

impl Own {
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Looking => "Looking",
            Self::Landing(_) => "Landing",
            Self::Asking(_) => "Asking",
            Self::Dressing(_) => "Dressing",
            Self::Naming(_) => "Naming",
        })
    }
}

impl Asking {
    /// Ready once the server has answered, or will not.
    fn poll(&mut self, cx: &mut Context<'_>, server: &mut Stream) -> Poll<Result<(), Fault>> {
        let Self { exchange, findings, raised, patience } = self;
        let answer = exchange.poll(cx, server, |event| match event {
            Event::Row(columns) => findings.row(columns),
            Event::Failed(failure, message) => *raised = Some(Raised::of(failure, message)),
            _ => {}
        });
        let Poll::Ready(end) = answer else { return patience.as_mut().poll(cx).map(|()| Err(Fault::Late)) };
        Poll::Ready(match (end, raised.take()) {
            (Ok(Transaction::None), None) => Ok(()),
            (_, Some(raised)) => Err(Fault::Raised(raised)),
            (Ok(_) | Err(Broken), None) => Err(Fault::Gone),
        })
    }
}

impl Borrowed {
    /// A server was lent: it gets the settings of its client, where it has others.
    pub(super) fn dress(&mut self) {
        self.entry.traffic.add(Count::Assignments, 1);
        self.advanced = false;
        self.redress();
    }

    /// The transaction is over, and may have left something.
    pub(super) fn ask_what_is_left(&mut self) {
        let Some(server) = self.lease.server() else { return };
        self.target.lets_go();
        let backend = Arc::clone(server.process.backend());
        if backend.is_cancelled() {
            server.slot.stands(Standing::BeingCanceled);
            self.own = Own::Landing(Box::pin(async move { backend.quiet().await }));
        } else {
            self.ask();
        }
    }

    fn ask(&mut self) {
        if let Some(server) = self.lease.server() {
            server.slot.stands(Standing::Tested);
        }
        let user = self.lease.pool().maker().user();
        let Some(server) = self.lease.server() else { return };
        let exchange = self.kept.question(user.as_bytes(), server);
        let patience = Box::pin(self.lease.pool().maker().loses_patience());
        self.own = Own::Asking(Box::new(Asking { exchange, findings: Findings::default(), raised: None, patience }));
    }

    /// Goes on with what is under way. Ready where nothing is; true where it has just come to its end.
    pub(super) fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match &mut self.own {
                Own::Nothing | Own::Looking => return Poll::Ready(false),
                Own::Landing(landed) => {
                    ready!(landed.as_mut().poll(cx));
                    self.ask();
                }
                Own::Asking(_) => {
                    let answered = ready!(self.poll_answer(cx));
                    self.answered(answered);
                    // What its client has reset has the default of its start-up again.
                    if self.own.is_nothing() {
                        return Poll::Ready(true);
                    }
                }
                Own::Dressing(_) => {
                    ready!(self.poll_dressed(cx));
                    return Poll::Ready(true);
                }
                Own::Naming(_) => {
                    ready!(self.poll_named(cx));
                    return Poll::Ready(true);
                }
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match (&mut self.own, self.lease.server()) {
            (Own::Asking(asking), Some(server)) => asking.poll(cx, &mut server.stream),
            _ => Poll::Ready(Err(Fault::Gone)),
        }
    }

    fn answered(&mut self, answered: Result<(), Fault>) {
        let Own::Asking(asking) = std::mem::replace(&mut self.own, Own::Nothing) else { return };
        let Asking { exchange, findings, .. } = *asking;
        self.words.unsplit(exchange.into_aside());
        let why = match (answered, self.lease.server()) {
            (Ok(()), Some(server)) => {
                let kept = self.kept.found(findings, server, self.entry.number);
                (!kept).then(|| "The session has more settings of its own than are kept.".to_owned())
            }
            (Ok(()), None) => None,
            (Err(fault), _) => Some(self.words(&fault)),
        };
        if let Some(why) = why {
            return self.lose(&why);
        }
        self.pinned();
        if self.kept.pins.is_none() {
            return self.release();
        }
        if let Some(server) = self.lease.server() {
            server.slot.stands(Standing::Active);
        }
        self.redress();
    }

    /// The server is closed with all that the session had in it; the next statement is told.
    pub(super) fn lose(&mut self, why: &str) {
        self.kept.lose();
        self.pinned();
        self.close();
        self.fail(refuse::session_lost(why));
    }

    pub(super) fn fail(&mut self, refusal: Refusal) {
        self.tell(&refusal, UNSERVED);
        self.trouble = Some(Box::new(refusal));
    }

    /// One sentence.
    pub(super) fn words(&self, fault: &Fault) -> String {
        fault.words(self.lease.pool().maker().patience())
    }

    /// Tells the roster why the server stays.
    fn pinned(&self) {
        let pins = self.kept.pins;
        if !pins.is_none() || self.entry.pin().is_some() {
            self.entry.set_pin((!pins.is_none()).then(|| pins.words()), clock::uptime_ms());
        }
    }

    /// Makes the server at hand fit for anybody, as its session has ended. False where it must be closed.
    pub async fn wash(&mut self) -> bool {
        if self.kept.pins.has(Reason::Library) {
            return false;
        }
        let Some(server) = self.lease.server() else { return false };
        let mut exchange = Kept::wash();
        let reported = Arc::make_mut(&mut server.parameters);
        let mut failed = false;
        let end = std::future::poll_fn(|cx| {
            exchange.poll(cx, &mut server.stream, |event| match event {
                Event::Parameter(parameter) => reported.take(parameter),
                Event::Failed(..) => failed = true,
                _ => {}
            })
        })
        .await;
        server.hold.known.clear();
        server.hold.known.forget_unnamed();
        server.hold.settings = Arc::default();
        server.hold.stained_by = None;
        end == Ok(Transaction::None) && !failed
    }
}
