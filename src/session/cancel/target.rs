//! A session, as its cancel key sees it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;

use super::Cancelled;
use super::keyring::Secret;
use super::question::{Found, Question};
use crate::server::backend::{Backend, Backends};

/// The session has no server.
const NONE: u64 = 0;
/// It waits for one.
const WAITING: u64 = 1;
/// It waits for one, and was told to wait no more.
const TOLD: u64 = u64::MAX;
/// It has none, and somebody wants to know whether it has something to do that nobody has seen yet.
const ASKED: u64 = u64::MAX - 1;
/// The same, and it has begun to look: what has come in by now came before the cancel, however long it takes to be read.
const SOUGHT: u64 = u64::MAX - 2;
/// How long whoever cancels waits for the session to say so. A text that is being read keeps it from that; it is hit behind that.
const LOOKING: Duration = Duration::from_secs(5);

/// What whoever asked a session without a server has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Asked {
    /// Nothing that could be hit.
    Missed = 0,
    /// It has hit what waits for a server from now on.
    Hit = 1,
    /// The session took a server in that moment, for what it had read before.
    Met = 2,
}

impl Asked {
    const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Hit,
            2 => Self::Met,
            _ => Self::Missed,
        }
    }
}

/// A session, as its cancel key sees it.
pub struct Target {
    pid: i32,
    secret: Secret,
    /// Number of the process that the session has, or one of the above.
    at: AtomicU64,
    /// Its session looks when it is asked.
    looks: AtomicBool,
    /// What whoever asked last has come to: an [`Asked`].
    asked: AtomicU8,
    /// What it is asked while it has a process.
    question: Question,
    /// The system was asked for what has come in.
    sounded: AtomicBool,
    owner: OnceLock<Owner>,
    backends: Arc<Backends>,
}

/// The session behind a key.
struct Owner {
    waker: Waker,
    /// Its number in the roster.
    session: u64,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("pid", &self.pid).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Target {
    /// Of a session that has this process for life, or none yet.
    pub(super) fn new(pid: i32, secret: Secret, own: Option<&Backend>, backends: &Arc<Backends>) -> Self {
        Self {
            pid,
            secret,
            at: AtomicU64::new(own.map_or(NONE, Backend::number)),
            looks: AtomicBool::new(false),
            asked: AtomicU8::new(Asked::Missed as u8),
            question: Question::default(),
            sounded: AtomicBool::new(false),
            owner: OnceLock::new(),
            backends: Arc::clone(backends),
        }
    }

    /// The process id that the client was given.
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) const fn secret(&self) -> &[u8] {
        self.secret.bytes()
    }

    /// Cancels what the session does now, for its client. Waits until the server has taken the cancel; where what the client has sent
    /// may not have gone there yet, first for the session to have seen to it. What comes after that is not hit.
    pub async fn cancel(&self) -> Cancelled {
        let at = self.at.load(Ordering::SeqCst);
        // In one step, so that it is this wait that ends, and no later one.
        if at == WAITING && self.swaps(WAITING, TOLD) {
            self.wake_owner();
            return Cancelled::Queued;
        }
        if at == NONE && self.looks.load(Ordering::SeqCst) {
            self.comes_to(Asked::Missed);
            if self.swaps(NONE, ASKED) {
                match self.ask().await {
                    Asked::Hit => return Cancelled::Queued,
                    Asked::Met => {}
                    Asked::Missed => return Cancelled::Idle,
                }
            }
        }
        let at = self.at.load(Ordering::SeqCst);
        let found = if is_process(at) && self.looks.load(Ordering::SeqCst) { self.look().await } else { None };
        match found {
            Some(Found::Nothing) => Cancelled::Idle,
            Some(Found::Struck) => Cancelled::Queued,
            Some(Found::Work) | None => self.stop().await,
        }
    }

    /// Cancels what the session's process works on, for the session itself. Waits until the server has taken the cancel.
    pub async fn stop(&self) -> Cancelled {
        let at = self.at.load(Ordering::SeqCst);
        let Some(cancelling) = self.backends.begin(at) else { return Cancelled::Idle };
        // It may have been given back just before it was counted.
        if self.at.load(Ordering::SeqCst) != at {
            return Cancelled::Idle;
        }
        if cancelling.send().await { Cancelled::Forwarded } else { Cancelled::Unreachable }
    }

    async fn ask(&self) -> Asked {
        self.wake_owner();
        // It may have ended in between.
        if !self.looks.load(Ordering::SeqCst) {
            self.has_nothing();
        }
        self.hears(|| (!is_question(self.at.load(Ordering::SeqCst))).then_some(())).await;
        // What a session reads that has not begun to look by now may have come later.
        self.swaps(ASKED, NONE);
        Asked::from_u8(self.asked.load(Ordering::SeqCst))
    }

    /// Does its process work on anything, with all that the client sent before this? `None`: it did not say so in time.
    async fn look(&self) -> Option<Found> {
        self.question.ask();
        self.wake_owner();
        if !self.looks.load(Ordering::SeqCst) {
            return None;
        }
        let found = self.hears(|| self.question.answer()).await;
        if found.is_none() {
            self.question.withdraw();
        }
        found
    }

    /// Waits for the session's answer, for as long as it may take.
    async fn hears<T>(&self, answer: impl Fn() -> Option<T>) -> Option<T> {
        let answered = async {
            loop {
                let mut looked = pin!(self.backends.looked().notified());
                looked.as_mut().enable();
                if let Some(answer) = answer() {
                    return answer;
                }
                looked.await;
            }
        };
        timeout(LOOKING, answered).await.ok()
    }

    fn wake_owner(&self) {
        if let Some(owner) = self.owner.get() {
            owner.waker.wake_by_ref();
        }
    }

    fn comes_to(&self, asked: Asked) {
        self.asked.store(asked as u8, Ordering::SeqCst);
    }

    fn swaps(&self, from: u64, to: u64) -> bool {
        self.at.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whoever asked hears of what took the place of the question.
    fn answers(&self, before: u64) {
        if is_question(before) {
            self.backends.looked().notify_waiters();
        }
    }

    /// Whose it is: whom to wake where a cancel finds the session waiting, and its number in the roster. Only the first call counts.
    pub fn register(&self, waker: &Waker, session: u64) {
        drop(self.owner.set(Owner { waker: waker.clone(), session }));
        self.looks.store(true, Ordering::SeqCst);
    }

    /// The session has ended, though its key is known for a while: there is nothing to look for.
    pub fn looks_no_more(&self) {
        self.looks.store(false, Ordering::SeqCst);
        self.has_nothing();
        self.begins_to_look();
        self.has_looked(Found::Work);
    }

    /// Has the system asked for what has come in: called by the session's task, which is woken behind that. Whoever else wakes it may do
    /// so before, and a socket that was not asked for has nothing to read.
    pub fn sound(self: &Arc<Self>) {
        self.sounded.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(self));
        let _later = pin!(yield_now()).poll(&mut Context::from_waker(&waker));
    }

    /// Has that come about?
    pub fn has_sounded(&self) -> bool {
        self.sounded.load(Ordering::Relaxed)
    }

    /// Does a cancel want to know what runs, with all that has come in?
    pub fn is_asked_for_work(&self) -> bool {
        self.question.is_open()
    }

    /// The session begins to look what has come in. False where it has begun before.
    pub fn begins_to_look(&self) -> bool {
        self.question.begins()
    }

    /// The session has seen to all that had come in.
    pub fn has_looked(&self, found: Found) {
        if self.question.is_answered_by(found) {
            self.backends.looked().notify_waiters();
        }
    }

    /// The session's number in the roster; 0, which is nobody's, before its login has ended.
    pub fn session(&self) -> u64 {
        self.owner.get().map_or(0, |owner| owner.session)
    }

    /// Somebody wants to know whether the session has something to do.
    pub fn is_asked(&self) -> bool {
        is_question(self.at.load(Ordering::Relaxed))
    }

    /// It begins to look.
    pub fn seeks(&self) {
        self.swaps(ASKED, SOUGHT);
    }

    /// It has looked, and there is nothing.
    pub fn has_nothing(&self) {
        if self.swaps(ASKED, NONE) || self.swaps(SOUGHT, NONE) {
            self.answers(ASKED);
        }
    }

    /// The session waits for a server from now on, or waits on.
    pub fn waits(&self) {
        match self.at.load(Ordering::SeqCst) {
            NONE if self.swaps(NONE, WAITING) => {}
            NONE | ASKED | SOUGHT if self.swaps(ASKED, TOLD) || self.swaps(SOUGHT, TOLD) => {
                self.comes_to(Asked::Hit);
                self.answers(ASKED);
            }
            _ => {}
        }
    }

    /// Was it told to wait no more? Told once.
    pub fn take_cancelled(&self) -> bool {
        self.swaps(TOLD, NONE)
    }

    /// The session has this process now. False where it was told meanwhile to wait no more: the process is to be given back.
    pub fn takes(&self, backend: &Backend) -> bool {
        let before = self.at.swap(backend.number(), Ordering::SeqCst);
        if is_question(before) {
            self.comes_to(Asked::Met);
        }
        self.answers(before);
        before != TOLD
    }

    /// The session has none now, and waits for none. True where it was told meanwhile to wait no more, and nobody has taken that in.
    pub fn lets_go(&self) -> bool {
        let before = self.at.swap(NONE, Ordering::SeqCst);
        self.answers(before);
        before == TOLD
    }
}

impl Wake for Target {
    fn wake(self: Arc<Self>) {
        self.sounded.store(true, Ordering::Relaxed);
        self.wake_owner();
    }
}

/// Is it the number of a process?
const fn is_process(at: u64) -> bool {
    !matches!(at, NONE | WAITING | TOLD) && !is_question(at)
}

/// Does somebody wait for the session to look?
const fn is_question(at: u64) -> bool {
    matches!(at, ASKED | SOUGHT)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
