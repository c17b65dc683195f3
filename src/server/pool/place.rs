//! Places, where all of a listener, a database or a role are in use: which pool is due one, and which gives one.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::mail::Note;
use super::register::Register;
use super::rooms::Room;
use super::shared::{Shared, Turn};
use super::slot::{AlreadyWaiting, Count, Need, Overtaken};
use super::{Key, Limits};
use crate::clock;
use crate::units;

/// How long a pool without any server waits at least before others that are at work give it their last one: each turn costs a login.
const TURN: Duration = Duration::from_millis(100);
/// The same while other pools have more than one, which they give as soon as a transaction ends.
const TURN_OF_MORE: Duration = Duration::from_secs(1);
/// A pool whose servers were lent within so many milliseconds is at work; that is known to the second.
const AT_WORK_MS: u64 = 2_000;

impl<A: Debug + Send + 'static> Register<A> {
    /// Asks for the idle server of a pool in that room of `whose` to be closed, so that `whose` may have its place. The pool with the most
    /// servers beyond its guarantee is asked first; one that is at work keeps its last while others have more; `but` is not asked. True
    /// where one is asked.
    pub(super) fn evict(&self, room: Room, whose: &Key, but: Option<&Key>) -> bool {
        let pools = &self.lock().pools;
        let others = || pools.values().filter(|pool| Some(&pool.key) != but && room.holds(whose, &pool.key));
        let some_have_more = others().any(|pool| pool.expected() > pool.kept().max(1));
        let is_last = |pool: &Arc<Shared<A>>| some_have_more && pool.expected() <= 1 && pool.is_at_work();
        let spare = |pool: &&Arc<Shared<A>>| pool.open() > pool.kept() && pool.idle() > 0 && !is_last(pool);
        let Some(pool) = others().filter(spare).max_by_key(|pool| pool.open()) else { return false };
        // Counted as taken, so that nobody else asks for the same one.
        let Some(worker) = pool.claim_idle(None) else { return false };
        self.send(worker, Note::Evict(pool.key.clone()));
        true
    }

    /// Has any pool in that room of `whose` more servers than it is due?
    fn any_has_more(&self, room: Room, whose: &Key) -> bool {
        let has_more = |pool: &Arc<Shared<A>>| pool.expected() > pool.limits().guaranteed.max(1);
        self.lock().pools.values().any(|pool| room.holds(whose, &pool.key) && has_more(pool))
    }
}

impl<A: Debug + Send + 'static> Shared<A> {
    /// Servers that no other pool gets the places of while they are idle.
    fn kept(&self) -> usize {
        let Limits { min, guaranteed, .. } = self.limits();
        min.max(guaranteed)
    }

    /// Is the place of a server at hand due to a pool that has too few, in one of its rooms? Where it is, it has been promised there.
    ///
    /// A pool that has more than it is due gives what is beyond. One that has no more than that gives its last one too, unless that is
    /// guaranteed: at once where nobody waits for it, else in turn, when all are served that came before the other pool did. Only servers
    /// that are made count: whoever closed one because others are still being made would serve nobody. While other pools have more than
    /// they are due, it is theirs to give for a while.
    pub(super) fn owes(&self, turn: Turn) -> Option<Room> {
        self.lines.hungry().find(|room| self.owes_in(*room, turn))
    }

    fn owes_in(&self, room: Room, turn: Turn) -> bool {
        let starving = self.lines.of(room);
        let Some(next) = starving.next() else { return false };
        let limits = self.limits();
        let servers = self.servers();
        let beyond = servers > limits.guaranteed.max(1);
        let last = || {
            let kept = servers <= limits.guaranteed.max(limits.min) || !self.is_turn_of(next, turn);
            !kept && (self.has_passed(next, TURN_OF_MORE) || !self.register.any_has_more(room, &self.key))
        };
        (beyond || last()) && starving.promise()
    }

    /// Has the turn come of a pool that has waited since then?
    fn is_turn_of(&self, since: u64, turn: Turn) -> bool {
        let Some(head) = self.head() else { return true };
        turn == Turn::Taken && since < head && self.has_passed(since, TURN)
    }

    /// Has so much time passed since that microsecond?
    fn has_passed(&self, since: u64, time: Duration) -> bool {
        let until = since.saturating_add(units::micros(time));
        until <= self.register.micros(clock::now())
    }

    /// Servers that are made, and those that have a place and are being made.
    pub(super) fn expected(&self) -> usize {
        self.servers().saturating_add(self.making.load(Ordering::SeqCst))
    }

    /// Has a client had one of its servers within the last moments?
    pub(super) fn is_at_work(&self) -> bool {
        let since = clock::uptime_ms().saturating_sub(AT_WORK_MS);
        self.records().values().any(|record| record.lent_since(since))
    }

    /// The pool has fewer servers than it is due, or none for those who wait.
    fn is_in_need(&self) -> bool {
        self.would_be_in_need(self.expected())
    }

    fn would_be_in_need(&self, servers: usize) -> bool {
        servers < self.limits().guaranteed || (servers == 0 && self.waiting() > 0)
    }

    /// Asks for a place in that room, for a pool that needed it so far for `before`.
    fn ask(&self, before: Need, room: Option<Room>) -> Need {
        let Some(room) = room else { return before };
        let starves = !self.register.evict(room, &self.key, Some(&self.key)) && self.is_in_need();
        match before {
            Need::Asked if starves => {
                let since = self.register.micros(clock::now());
                self.lines.of(room).join(since);
                Need::Guarantee(room, since)
            }
            Need::Guarantee(there, since) if !starves => {
                self.lines.of(there).leave(since);
                Need::Asked
            }
            // What hindered it has found a place, and now another room has none.
            Need::Guarantee(there, since) if there != room => {
                self.lines.of(there).leave(since);
                self.lines.of(room).join(since);
                Need::Guarantee(room, since)
            }
            Need::Growth | Need::Asked | Need::Guarantee(..) => before,
        }
    }
}

impl<A: Debug + Send + 'static> Count for Shared<A> {
    fn has_place(&self) {
        self.making.fetch_add(1, Ordering::SeqCst);
    }

    fn lost_place(&self) {
        self.making.fetch_sub(1, Ordering::SeqCst);
    }

    fn moved(&self, from: Option<usize>, to: Option<usize>) {
        if let Some(lane) = from.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(lane) = to.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn kept_promise(&self, room: Room) {
        self.lines.of(room).kept_promise();
    }

    fn freed(&self, number: u64) {
        self.records().remove(&number);
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.tell_waiters();
    }

    fn is_due(&self) -> bool {
        // Without this one.
        let making = self.making.load(Ordering::SeqCst).saturating_sub(1);
        self.would_be_in_need(self.servers().saturating_add(making)) || !self.lines.is_anybody_hungry()
    }

    fn wait_for_place(&self, room: Option<Room>) -> Result<Need, AlreadyWaiting> {
        if self.placing.swap(true, Ordering::SeqCst) {
            return Err(AlreadyWaiting);
        }
        Ok(self.ask(if self.is_in_need() { Need::Asked } else { Need::Growth }, room))
    }

    fn ask_again(&self, before: Need, room: Option<Room>) -> Result<Need, Overtaken> {
        if before == Need::Growth && self.is_in_need() { Err(Overtaken) } else { Ok(self.ask(before, room)) }
    }

    fn is_next(&self, need: Need) -> bool {
        need != Need::Growth || !self.lines.is_anybody_hungry()
    }

    fn waited_for_place(&self, need: Need) {
        if let Need::Guarantee(room, since) = need {
            self.lines.of(room).leave(since);
        }
        self.placing.store(false, Ordering::SeqCst);
        self.tell_waiters();
    }
}
