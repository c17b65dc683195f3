//! A session, as its cancel key sees it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// A session, as its cancel key sees it.
pub struct Target {
    pid: i32,
    secret: Secret,
    /// Number of the process that the session has, or one of the above.
    at: AtomicU64,
    /// Its session looks when it is asked.
    looks: AtomicBool,
    /// Whoever asked last has hit something.
    hit: AtomicBool,
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
            hit: AtomicBool::new(false),
            question: Question::default(),
            sounded: AtomicBool::new(false),
            owner: OnceLock::new(),
            backends: Arc::clone(backends),
        }
    }

    pub(super) const fn pid(&self) -> i32 {
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
            self.hit.store(false, Ordering::SeqCst);
            if self.swaps(NONE, ASKED) {
                return self.ask().await;
            }
        }
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

    async fn ask(&self) -> Cancelled {
        self.wake_owner();
        // It may have ended in between.
        if !self.looks.load(Ordering::SeqCst) {
            self.has_nothing();
        }
        self.hears(|| (!is_question(self.at.load(Ordering::SeqCst))).then_some(())).await;
        // What a session reads that has not begun to look by now may have come later.
        self.swaps(ASKED, NONE);
        if self.hit.load(Ordering::SeqCst) { Cancelled::Queued } else { Cancelled::Idle }
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
                self.hit.store(true, Ordering::SeqCst);
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
mod tests {
    use super::*;
    use crate::address::Endpoint;
    use crate::session::cancel::Keys;
    use crate::wire::pg::startup::Version;

    fn server() -> Endpoint {
        "127.0.0.1:5432".parse::<std::net::SocketAddr>().unwrap().into()
    }

    #[tokio::test]
    async fn a_key_leads_to_what_its_session_has_at_the_moment() {
        let keys = Arc::new(Keys::default());
        let key = keys.invent(Version::V3_0).unwrap();
        let target = key.target();
        assert!(key.pid() > 0);
        assert_eq!(target.cancel().await, Cancelled::Idle);
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(target.take_cancelled() && !target.take_cancelled());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let process = keys.backends().register(Endpoint::from(listener.local_addr().unwrap()).into(), 7, b"abcd");
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(!target.takes(process.backend()), "the wait that was cancelled is this one");
        assert!(!target.take_cancelled(), "and no later one");
        assert!(!target.lets_go());
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(target.lets_go() && !target.lets_go(), "who loses a server while it waits still hears of it, once");
        assert!(target.takes(process.backend()));
        let cancel = tokio::spawn({
            let target = Arc::clone(&target);
            async move { target.cancel().await }
        });
        let (socket, _) = listener.accept().await.unwrap();
        // It is on its way: whoever gives the process back has to wait.
        assert!(!target.lets_go());
        assert!(process.backend().is_cancelled());
        let mut quiet = std::pin::pin!(process.backend().quiet());
        assert!(futures::poll!(quiet.as_mut()).is_pending());
        drop(socket);
        quiet.await;
        assert!(matches!(cancel.await.unwrap(), Cancelled::Forwarded | Cancelled::Unreachable));
        assert_eq!(target.cancel().await, Cancelled::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_hits_what_an_idle_session_has_not_seen_yet_and_nothing_that_comes_later() {
        let keys = Arc::new(Keys::default());
        let key = keys.invent(Version::V3_0).unwrap();
        let target = key.target();
        target.register(Waker::noop(), 7);
        let process = keys.backends().register(server().into(), 7, b"abcd");
        type Answer = fn(&Target, &Backend);
        let answers: [(Answer, Cancelled); 4] = [
            (|target, _| target.has_nothing(), Cancelled::Idle),
            (|target, _| target.waits(), Cancelled::Queued),
            (|target, process| assert!(target.takes(process)), Cancelled::Idle),
            (|target, _| assert!(!target.lets_go()), Cancelled::Idle),
        ];
        for (answer, outcome) in answers {
            let mut cancel = pin!(target.cancel());
            assert!(futures::poll!(cancel.as_mut()).is_pending() && target.is_asked());
            assert_eq!(target.cancel().await, Cancelled::Idle, "one is enough");
            answer(&target, process.backend());
            assert_eq!(cancel.await, outcome);
            target.lets_go();
            assert!(target.takes(process.backend()), "what comes later is not hit");
            target.lets_go();
        }
        // A session that does not look holds nobody up for ever, and one that has ended nobody at all.
        assert_eq!(target.cancel().await, Cancelled::Idle);
        assert!(!target.is_asked());
        // One that has begun to look in time hits what came before, however late that is read.
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending());
        target.seeks();
        assert_eq!(cancel.await, Cancelled::Idle);
        assert!(target.is_asked());
        target.waits();
        assert!(target.take_cancelled() && !target.is_asked());
        let began = tokio::time::Instant::now();
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending());
        target.looks_no_more();
        assert_eq!((cancel.await, target.cancel().await), (Cancelled::Idle, Cancelled::Idle));
        assert_eq!(began.elapsed(), Duration::ZERO);
        target.waits();
        assert!(!target.take_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_with_a_process_says_what_runs_there_before_the_cancel_goes_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = Endpoint::from(listener.local_addr().unwrap());
        let keys = Arc::new(Keys::default());
        let key = keys.issue(place, 7, b"abcd", 4).unwrap();
        let target = key.target();
        target.register(Waker::noop(), 7);
        // Nothing runs, so nothing is sent.
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending() && target.is_asked_for_work());
        assert!(target.begins_to_look() && !target.begins_to_look());
        target.has_looked(Found::Nothing);
        assert_eq!(cancel.await, Cancelled::Idle);
        assert!(!target.is_asked_for_work());
        // Who asks later wants to know of what came later.
        let (mut first, mut second) = (pin!(target.cancel()), pin!(target.cancel()));
        assert!(futures::poll!(first.as_mut()).is_pending() && target.begins_to_look());
        assert!(futures::poll!(second.as_mut()).is_pending());
        target.has_looked(Found::Nothing);
        assert!(futures::poll!(first.as_mut()).is_pending() && futures::poll!(second.as_mut()).is_pending());
        assert!(target.begins_to_look());
        target.has_looked(Found::Nothing);
        assert_eq!((first.await, second.await), (Cancelled::Idle, Cancelled::Idle));
        // A statement that has not gone to the server is hit though nobody has looked yet.
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending());
        target.has_looked(Found::Struck);
        assert_eq!(cancel.await, Cancelled::Queued);
        // Nor is one that comes when nobody waits for the answer any more.
        let cancel = tokio::spawn(cancelled(Arc::clone(&target)));
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(!target.is_asked_for_work());
        tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
        assert_eq!(cancel.await.unwrap(), Cancelled::Forwarded);
        // What runs is hit; so is a session that does not answer, or has ended.
        let answers: [fn(&Target); 3] = [
            |target| {
                assert!(target.begins_to_look());
                target.has_looked(Found::Work);
            },
            |_| (),
            Target::looks_no_more,
        ];
        for answer in answers {
            let cancel = tokio::spawn(cancelled(Arc::clone(&target)));
            while !target.is_asked_for_work() {
                yield_now().await;
            }
            answer(&target);
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
            assert_eq!(cancel.await.unwrap(), Cancelled::Forwarded);
        }
    }

    async fn cancelled(target: Arc<Target>) -> Cancelled {
        target.cancel().await
    }
}
