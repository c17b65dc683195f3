//! What is ours to do at a server that is lent: the settings of its client before the first statement, and the question what was left
//! behind after the last one. The session has no server meanwhile.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::borrowed::Borrowed;
use super::exchange::{Broken, Exchange};
use super::kept::Kept;
use crate::client::refuse;
use crate::clock;
use crate::server::pool::Standing;
use crate::session::state::Findings;
use crate::session::state::pins::Reason;
use crate::session::state::replay::{Progress, Replaying};
use crate::traffic::Count;
use crate::wire::pg::own::Event;
use crate::wire::{Failure, Refusal, Severity, Transaction};

/// What is under way.
pub(super) enum Own {
    Nothing,
    /// A cancel is on its way to the server: a question must not be hit by it.
    Landing(Pin<Box<dyn Future<Output = ()>>>),
    /// It is asked what was left.
    Asking(Box<(Exchange, Findings, Option<Failure>)>),
    /// It takes the settings of its client.
    Dressing(Box<(Exchange, Replaying)>),
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
            Self::Landing(_) => "Landing",
            Self::Asking(_) => "Asking",
            Self::Dressing(_) => "Dressing",
        })
    }
}

/// Where a server closed without a word.
const GONE: [u8; 5] = *b"08006";

impl Borrowed {
    /// A server was lent: it gets the settings of its client, where it has others.
    pub(super) fn dress(&mut self) {
        self.entry.traffic.add(Count::Assignments, 1);
        self.redress();
    }

    /// The server at hand gets the settings of its client, where it has others.
    fn redress(&mut self) {
        let Some(server) = self.lease.server() else { return };
        match self.kept.dress(server, self.entry.number) {
            Some(exchange) => self.own = Own::Dressing(Box::new((exchange, Replaying::default()))),
            None => self.took(),
        }
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
        let question = self.kept.question(user.as_bytes(), server);
        self.own = Own::Asking(Box::new((question, Findings::default(), None)));
    }

    /// Goes on with what is under way. Ready where nothing is; true where it has just come to its end.
    pub(super) fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match &mut self.own {
                Own::Nothing => return Poll::Ready(false),
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
                    let dressed = ready!(self.poll_dressed(cx));
                    self.dressed(dressed);
                    return Poll::Ready(true);
                }
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), [u8; 5]>> {
        let (Own::Asking(asking), Some(server)) = (&mut self.own, self.lease.server()) else {
            return Poll::Ready(Err(GONE));
        };
        let (exchange, findings, failure) = &mut **asking;
        let end = ready!(exchange.poll(cx, &mut server.stream, |event| match event {
            Event::Row(columns) => findings.row(columns),
            Event::Failed(error) => *failure = Some(error),
            _ => {}
        }));
        Poll::Ready(match (end, failure) {
            (Ok(Transaction::None), None) => Ok(()),
            (_, Some(failure)) => Err(failure.sqlstate),
            (Ok(_) | Err(Broken), None) => Err(GONE),
        })
    }

    fn answered(&mut self, answered: Result<(), [u8; 5]>) {
        let Own::Asking(asking) = std::mem::replace(&mut self.own, Own::Nothing) else { return };
        let (exchange, findings, _) = *asking;
        self.words.unsplit(exchange.into_aside());
        let why = match (answered, self.lease.server()) {
            (Ok(()), Some(server)) => {
                let kept = self.kept.found(findings, server, self.entry.number);
                (!kept).then(|| "The session has more settings of its own than are kept.".to_owned())
            }
            (Ok(()), None) => None,
            (Err(sqlstate), _) => Some(format!("The server was asked, and failed: {}.", sqlstate.escape_ascii())),
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
    fn lose(&mut self, why: &str) {
        self.kept.lose();
        self.pinned();
        self.close();
        self.fail(refuse::session_lost(why));
    }

    fn fail(&mut self, refusal: Refusal) {
        self.tell("settings", &refusal);
        self.trouble = Some(Box::new(refusal));
    }

    /// Tells the roster why the server stays.
    fn pinned(&self) {
        let pins = self.kept.pins;
        if !pins.is_none() || self.entry.pin().is_some() {
            self.entry.set_pin((!pins.is_none()).then(|| pins.words()), clock::uptime_ms());
        }
    }

    fn poll_dressed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), [u8; 5]>> {
        let (Own::Dressing(dressing), Some(server)) = (&mut self.own, self.lease.server()) else {
            return Poll::Ready(Err(GONE));
        };
        let (exchange, replaying) = &mut **dressing;
        let reported = Arc::make_mut(&mut server.parameters);
        let mut progress = Progress::Going;
        let end = ready!(exchange.poll(cx, &mut server.stream, |event| progress = replaying.take(event, reported)));
        Poll::Ready(match (end, progress) {
            (Ok(_), Progress::Done) => Ok(()),
            (Ok(_), Progress::Failed(failure)) => Err(failure.sqlstate),
            (Ok(_), Progress::Going) | (Err(Broken), _) => Err(GONE),
        })
    }

    fn dressed(&mut self, dressed: Result<(), [u8; 5]>) {
        self.own = Own::Nothing;
        let pool = Rc::clone(self.lease.pool());
        match (dressed, self.lease.server()) {
            (Ok(()), Some(server)) => {
                server.parameters = pool.maker().shared(Arc::clone(&server.parameters));
                self.kept.dressed(server);
                self.took();
            }
            (Ok(()), None) => {}
            // Another role may not set what the login did. The server is as it was, and holds what cannot move.
            (Err(sqlstate), Some(_)) if sqlstate != GONE && !self.kept.pins.is_none() => self.took(),
            (Err(sqlstate), _) => {
                self.close();
                self.fail(refuse::settings_failed(&sqlstate));
            }
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
                Event::Failed(Failure { fatal: Severity::Error | Severity::Fatal, .. }) => failed = true,
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
