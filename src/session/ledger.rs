//! What a session's relay asks and tells: the books of one session.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;

use super::cancel::Target;
use super::cancel::stopper::Stopper;
use super::end::End;
use super::house::House;
use super::judge::Judge;
use super::local::Local;
use super::memory::Share;
use super::overseer::{Extent, Leaves, Opinion, Overseer, Owes, Rest, Way};
use super::pace::Pace;
use super::timing::course::Course;
use super::timing::{Held, Timed};
use super::watch::{Excess, Reach, Ruling, Tally, Watch, Work};
use super::welcome::Stay;
use crate::client::refuse;
use crate::clock::{self, Instant};
use crate::guard::Measure;
use crate::roster::{Activity, Signal};
use crate::server::nodes::Leave;
use crate::telemetry::shapes::Outcome;
use crate::telemetry::{Direction, StatementKind};
use crate::traffic::Count;
use crate::wire::{Failure, Refusal, Request, Setting, Transaction};

/// The books of one session.
#[derive(Debug)]
pub struct Ledger {
    house: Arc<House>,
    local: Rc<Local>,
    /// What the session holds.
    pub stay: Stay,
    share: Share,
    judge: Judge,
    stopper: Option<Box<Stopper>>,
    /// How the statement that the server works on goes.
    outcome: Outcome,
    /// How far it has come, and its transaction.
    course: Course,
    /// The statement at work has become too late, and nobody was told yet.
    late: bool,
}

impl Ledger {
    /// Opens the books.
    pub fn new(house: Arc<House>, local: Rc<Local>, stay: Stay) -> Self {
        let share = Share::of(&house.common.memory);
        let judge = Judge::new(Arc::clone(&house), Rc::clone(&local), &stay.seat);
        let course = Course::new(&local.timings);
        Self { house, local, stay, share, judge, stopper: None, outcome: Outcome::Completed, course, late: false }
    }

    /// Whom to wake where an operator signals, or time is up: the session's task.
    pub fn register(&self, waker: &Waker) {
        self.stay.seat.register(waker);
        if let Some(key) = &self.stay.key {
            key.target().register(waker, self.stay.seat.number);
        }
    }

    /// Takes in what the server reported during the login.
    pub fn take_in(&mut self, settings: &[Setting]) {
        for setting in settings {
            self.setting(setting.clone());
        }
        self.stay.seat.set_activity(Activity::Idle, clock::uptime_ms());
    }

    /// The session's servers are lent.
    pub fn tidies(&mut self) {
        self.judge.tidies();
    }

    /// The turns by which sessions of its worker end.
    pub fn partings(&self) -> Rc<Pace> {
        Rc::clone(&self.local.partings)
    }

    /// Closes the books; what the session holds is left.
    pub fn into_stay(self) -> Stay {
        self.stay
    }

    /// The server is done with what it worked on.
    fn settle(&mut self, us: u64) {
        self.local.metrics.latency_us(us);
        self.stay.seat.traffic.add(Count::StatementUs, us);
        self.local.metrics.observe(Measure::StatementTime.into(), us);
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Completed);
        if let Some(text) = self.judge.current() {
            text.shape.stat.record(us, outcome);
        }
        self.judge.completed(outcome, &self.stay.seat);
    }

    /// A statement goes to the server.
    fn begin(&mut self) {
        let held = Held { limits: self.judge.limits(), who: &self.stay.seat };
        if let Some(now) = self.course.begins(&self.local.metrics, held) {
            self.stay.seat.set_activity(Activity::Active, clock::uptime_ms_at(now));
        }
    }

    /// The server at hand does not answer and is not the one that is used any more, unless it was given back meanwhile.
    fn lost_server(&self) -> Option<End> {
        let seat = &self.stay.seat;
        seat.has_lost();
        let leave = seat.server_generation().and_then(|generation| self.house.nodes.outdated(generation));
        (leave == Some(Leave::Now)).then_some(End::ServerGone)
    }

    /// It may have been told so a moment before its client came back.
    fn is_idle_too_long(&self) -> bool {
        let limit = self.house.settings.load().listener.client_idle_timeout;
        limit.is_some_and(|limit| self.stay.seat.is_idle_for(limit, clock::uptime_ms()))
    }

    /// The end of a session whose transaction has taken too long.
    fn timed_out(&mut self) -> Option<End> {
        match self.course.take_due()? {
            Timed::Statement => {
                self.late = true;
                None
            }
            what => self.judge.overdue(what, &self.stay.seat).map(End::TimedOut),
        }
    }

    /// The server is in no transaction any more.
    fn ends_transaction(&mut self, now: Instant) {
        if let Some(us) = self.course.ends_transaction(now) {
            let traffic = &self.stay.seat.traffic;
            traffic.add(Count::Transactions, 1);
            traffic.add(Count::TransactionUs, us);
        }
    }
}

impl Overseer for Ledger {
    fn hold(&self) -> u64 {
        self.judge.hold()
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Refusal> {
        if self.share.resize(bytes) { Ok(()) } else { Err(refuse::memory(bytes)) }
    }

    fn release(&mut self) {
        self.share.resize(0);
    }

    fn opinion(&mut self, request: Request<'_>, frame: Extent) -> Opinion {
        self.judge.opinion(request, frame, &self.stay.seat)
    }

    fn poll_opinion(&mut self, cx: &mut Context<'_>) -> Poll<Opinion> {
        self.judge.poll_opinion(cx, &self.stay.seat)
    }

    fn watch(&mut self, request: Request<'_>) -> Watch {
        self.judge.watch(request)
    }

    fn excess(&mut self, excess: Excess, reach: Reach) -> Ruling {
        let ruling = self.judge.excess(excess, reach, &self.stay.seat);
        // What has taken too long may still end well.
        if matches!(ruling, Ruling::Fail(_)) && excess != Excess::Time {
            self.outcome = Outcome::Failed;
        }
        ruling
    }

    fn late(&mut self) -> bool {
        std::mem::take(&mut self.late)
    }

    fn tally(&mut self, tally: Tally) {
        let Tally { rows, bytes, changes } = tally;
        let metrics = &self.local.metrics;
        if rows > 0 {
            metrics.observe(Measure::ResultRows.into(), rows);
            metrics.observe(Measure::ResultBytes.into(), bytes);
        }
        if let Some(rows) = changes {
            metrics.observe(Measure::WriteRows.into(), rows);
        }
    }

    fn stop(&mut self, rule: &'static str) {
        // A cancel that is on its way is not forgotten: the next statement has to wait for it.
        if self.stopper.is_none() {
            // A server that gave no key cannot be stopped: it runs to its end.
            self.stopper = self.stay.key.as_ref().map(|key| Box::new(Stopper::new(key.target())));
            self.house.common.metrics.own_cancel(rule);
        }
    }

    fn insist(&mut self) {
        if self.stopper.is_none() {
            self.stopper = self.stay.key.as_ref().map(|key| Box::new(Stopper::behind(key.target())));
        }
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>, work: Work) -> Poll<()> {
        if let Some(stopper) = &mut self.stopper {
            ready!(stopper.poll_stopped(cx, work));
            self.stopper = None;
        }
        Poll::Ready(())
    }

    fn lend(&mut self, text: Bytes) {
        self.judge.lend(text);
    }

    fn withdraw(&mut self) {
        self.judge.withdraw();
    }

    fn data(&mut self, bytes: &[u8]) {
        self.judge.data(bytes);
    }

    fn forwarded(&mut self, request: Request<'_>) {
        self.judge.forwarded(request, &self.stay.seat);
        if let Request::Run { .. } | Request::Bind { .. } | Request::Call { .. } = request {
            let kind = self.judge.current().map_or(StatementKind::Other, |text| text.shape.kind);
            self.local.metrics.statement(kind);
            self.stay.seat.count_statement();
        }
        match request {
            Request::Prepare { .. } => self.stay.seat.traffic.add(Count::Prepared, 1),
            Request::Bind { .. } => self.stay.seat.traffic.add(Count::Bound, 1),
            _ => {}
        }
        self.begin();
        if self.judge.opens(request) {
            self.course.opens(Held { limits: self.judge.limits(), who: &self.stay.seat });
        }
    }

    fn boundary(&mut self, transaction: Transaction, owes: Owes) {
        let now = clock::now();
        if let Some(us) = self.course.at_work_us(now) {
            self.settle(us);
        }
        if transaction == Transaction::None {
            self.ends_transaction(now);
        }
        let held = Held { limits: self.judge.limits(), who: &self.stay.seat };
        if owes == Owes::More {
            return self.course.goes_on(transaction, now, held);
        }
        self.course.rests(transaction, now, &self.local.metrics, held);
        self.judge.settled(transaction);
        let activity = match transaction {
            Transaction::None => Activity::Idle,
            Transaction::Open => Activity::IdleInTransaction,
            Transaction::Failed => Activity::FailedTransaction,
        };
        self.stay.seat.set_activity(activity, clock::uptime_ms_at(now));
    }

    fn leaves(&mut self, request: Request<'_>) -> Leaves {
        self.judge.leaves(request)
    }

    fn skips(&mut self) {
        self.judge.failed();
    }

    fn failed(&mut self, _failure: Failure) {
        self.outcome = Outcome::Failed;
    }

    fn setting(&mut self, setting: Setting) {
        self.judge.setting(setting);
    }

    fn asked(&self) -> Option<&Arc<Target>> {
        self.stay.key.as_ref()?.asked()
    }

    fn keeps_transaction(&self, request: Request<'_>) -> bool {
        self.judge.keeps_transaction(request)
    }

    fn moved(&mut self, way: Way, bytes: usize) {
        let direction = match way {
            Way::FromClient => Direction::FromClient,
            Way::ToServer => Direction::ToServer,
            Way::FromServer => Direction::FromServer,
            Way::ToClient => Direction::ToClient,
        };
        match way {
            Way::FromClient => self.stay.seat.traffic.add(Count::Received, bytes as u64),
            Way::ToClient => self.stay.seat.traffic.add(Count::Sent, bytes as u64),
            Way::ToServer | Way::FromServer => {}
        }
        self.local.metrics.bytes(direction, bytes as u64);
    }

    fn paused(&mut self, _cx: &mut Context<'_>) -> bool {
        let paused = self.house.common.control.paused(&self.stay.seat.identity.database);
        if paused {
            self.stay.seat.set_activity(Activity::Paused, clock::uptime_ms());
        }
        paused
    }

    fn ending(&mut self, at: Rest) -> Option<End> {
        match (self.stay.seat.signalled(), at) {
            (Signal::Kill, _) => Some(End::Killed),
            (Signal::Lose, _) => self.lost_server(),
            (Signal::Drain, Rest::Idle) if !self.house.common.control.draining() => Some(End::Moved),
            (Signal::Drain, Rest::Idle) | (Signal::Shutdown, _) => Some(End::Drained),
            (Signal::Outdated, Rest::Idle) => Some(End::Outdated),
            (Signal::Idle, Rest::Idle) if self.is_idle_too_long() => Some(End::IdleTooLong),
            (Signal::Idle, _)
            | (Signal::Outdated, Rest::Working)
            | (Signal::Drain, Rest::Working)
            | (Signal::None, _) => self.timed_out(),
        }
    }
}
