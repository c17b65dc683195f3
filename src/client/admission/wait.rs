//! Asking for a place, and waiting for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep_until;

use crate::clock::{self, Instant};
use crate::guard::caps;

use super::Admission;
use super::denied::{Behind, Denied, Disclose, Reason};
use super::permits::{Slot, Waited};
use super::queue::{Line, Ticket, Turn};
use super::state::State;
use super::want::{Block, Scope, Want};

/// An answer to a request for a place: a place, or one in the queue.
pub(super) enum Request {
    Granted(Slot),
    Waiting(Waiting),
}

impl Request {
    /// The place, and how long it took.
    pub(super) async fn settle(self) -> Result<(Slot, Option<Box<Waited>>), Denied> {
        match self {
            Self::Granted(slot) => Ok((slot, None)),
            Self::Waiting(waiting) => waiting.settle().await,
        }
    }
}

/// Somebody in the queue. Dropped, it leaves; a place that was just handed to it goes to the next.
pub(super) struct Waiting {
    admission: Arc<Admission>,
    ticket: Ticket,
    turn: oneshot::Receiver<Slot>,
    want: Want,
    block: Block,
    since: Instant,
    deadline: Instant,
    disclose: Disclose,
}

impl Admission {
    /// Takes what is wanted, or joins the queue for it, or says why neither.
    pub(super) fn request(
        self: &Arc<Self>,
        want: Want,
        deadline: Instant,
        disclose: Disclose,
    ) -> Result<Request, Denied> {
        let now = clock::now();
        let mut state = self.lock();
        // Time alone may have made room for somebody older.
        let turns = state.serve_by_time(now);
        let outcome = match state.take(&want, now) {
            Ok(held) => Ok(Request::Granted(Slot::new(Arc::clone(self), held))),
            Err(block) => {
                let newcomer = Newcomer { want, block, now, deadline, disclose };
                self.join(&mut state, newcomer).map(Request::Waiting)
            }
        };
        drop(state);
        self.tell(turns);
        outcome
    }

    fn join(self: &Arc<Self>, state: &mut State, newcomer: Newcomer) -> Result<Waiting, Denied> {
        let Newcomer { want, block, now, deadline, disclose } = newcomer;
        let full = state.queue.len() >= state.limits.queue_length;
        let reason = match state.limits.let_wait_for(&block) {
            false => Some(block.reason(Reason::Full)),
            true if full => Some(Reason::QueueFull),
            true if deadline <= now => Some(block.reason(Reason::WaitedTooLong)),
            true => None,
        };
        if let Some(reason) = reason {
            return Err(state.deny(&block, reason, Duration::ZERO, disclose));
        }
        let (tell, turn) = oneshot::channel();
        let ticket = state.join_queue(want.clone(), tell);
        Ok(Waiting { admission: Arc::clone(self), ticket, turn, want, block, since: now, deadline, disclose })
    }
}

/// A newcomer that did not fit.
struct Newcomer {
    want: Want,
    block: Block,
    now: Instant,
    deadline: Instant,
    disclose: Disclose,
}

impl Waiting {
    async fn settle(mut self) -> Result<(Slot, Option<Box<Waited>>), Denied> {
        loop {
            let wake = self.block.again.map_or(self.deadline, |again| again.min(self.deadline));
            tokio::select! {
                biased;
                turn = &mut self.turn => return turn.map(|slot| self.served(slot)).map_err(|_| self.denied(Reason::Full)),
                () = sleep_until(wake) => {}
            }
            if clock::now() >= self.deadline {
                return self.last_look();
            }
            self.look_again();
        }
    }

    /// Time may have made room: for whoever is the oldest, not for this one first.
    fn look_again(&mut self) {
        self.admission.change(Line::ALL, |_, _| ());
        let now = clock::now();
        if let Err(block) = self.admission.lock().fits(&self.want, now) {
            self.block = Block { again: block.again.map(|again| again.max(now + LOOK_PAUSE)), ..block };
        }
    }

    /// The deadline has come: the turn may have come with it.
    fn last_look(mut self) -> Result<(Slot, Option<Box<Waited>>), Denied> {
        let left = self.admission.lock().leave_queue(self.ticket).is_some();
        match self.turn.try_recv() {
            Ok(slot) => Ok(self.served(slot)),
            Err(_) if left => Err(self.denied(Reason::WaitedTooLong)),
            Err(_) => self.in_hand_over(),
        }
    }

    /// Not in the queue and no place yet: somebody is handing it over at this very moment, after unlocking.
    /// Whoever closes first decides; a place that comes too late goes to the next by its own drop.
    fn in_hand_over(mut self) -> Result<(Slot, Option<Box<Waited>>), Denied> {
        self.turn.close();
        match self.turn.try_recv() {
            Ok(slot) => Ok(self.served(slot)),
            Err(_) => Err(self.denied(Reason::WaitedTooLong)),
        }
    }

    fn served(&self, slot: Slot) -> (Slot, Option<Box<Waited>>) {
        let time = clock::now().saturating_duration_since(self.since);
        (slot, Some(Box::new(Waited { rule: self.block.over.rule, time })))
    }

    fn denied(&self, reason: Reason) -> Denied {
        let now = clock::now();
        let mut state = self.admission.lock();
        let block = state.fits(&self.want, now).err().unwrap_or(self.block);
        let waited = now.saturating_duration_since(self.since);
        state.deny(&block, block.reason(reason), waited, self.disclose)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Nobody who waits behind is left waiting. The channel's own end goes later, outside the lock: a place in it
        // comes back through the lock.
        let ticket = self.ticket;
        self.admission.change(Line::moved_by(&self.want), |state, _| drop(state.leave_queue(ticket)));
    }
}

impl Block {
    fn reason(&self, otherwise: Reason) -> Reason {
        if self.over.rule == caps::NEW_CONNECTIONS_PER_SECOND { Reason::Rate } else { otherwise }
    }
}

impl State {
    /// Lets in whom time alone has made room for, so that no newcomer overtakes them; not more often than need be,
    /// since a storm of newcomers asks for it each time.
    fn serve_by_time(&mut self, now: Instant) -> Vec<Turn> {
        let due = self.served_at.is_none_or(|at| now.saturating_duration_since(at) >= SERVE_PAUSE);
        if self.queue.len() == 0 || !due {
            return Vec::new();
        }
        self.served_at = Some(now);
        self.serve(Line::ALL, now)
    }

    /// Counts a refusal and says what there is to say about it.
    fn deny(&mut self, block: &Block, reason: Reason, waited: Duration, disclose: Disclose) -> Denied {
        let caps::Over { rule, current, limit } = block.over;
        let scope = self.scope(block.scope);
        let denied = Denied { rule, scope, current, limit, behind: None, waited, reason, disclose };
        let denied = if reason == Reason::QueueFull { self.behind(denied) } else { denied };
        self.count_refusal(block.scope, denied.rule);
        denied
    }

    fn behind(&self, denied: Denied) -> Denied {
        let Denied { rule, scope, current, limit, .. } = denied;
        Denied {
            rule: caps::QUEUE_LENGTH,
            scope: "listener".to_owned(),
            current: self.queue.len(),
            limit: self.limits.queue_length,
            behind: Some(Box::new(Behind { rule, scope, current, limit })),
            ..denied
        }
    }

    fn scope(&self, scope: Scope) -> String {
        match scope {
            Scope::Client(id) => self.records.label(id).map_or_else(String::new, |label| label.to_string()),
            other => other.kind().to_owned(),
        }
    }

    fn count_refusal(&mut self, scope: Scope, rule: &'static str) {
        let at = caps::ALL.iter().position(|known| *known == rule);
        if let Some(count) = at.and_then(|at| self.refused.get_mut(at)) {
            *count = count.saturating_add(1);
        }
        if let Scope::Client(id) = scope {
            self.records.change(id, |record| record.refused = record.refused.saturating_add(1));
        }
    }
}

/// The least time between two looks of one waiter.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// The least time between two walks along the queue that newcomers ask for.
const SERVE_PAUSE: Duration = Duration::from_millis(5);
