//! What has to wait: nothing of the client goes where a cancel could hit it, or where it could commit what is not decided.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::decide::Decision;
use super::source::Source;
use super::stage::Stage;
use super::undo::Own;
use super::up::Attention;
use crate::client::refuse;
use crate::guard::limits::Undo;
use crate::guard::plan::Effect;
use crate::session::overseer::Overseer;
use crate::session::watch::{Hold, Watch};
use crate::wire::{Errand, Protocol, Refusal, Request, Tail, Transaction};

/// What the frames in `up.held` wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Room for more of our own, the end of a group that nothing may be sent behind, or the next turn. The first frame has not
    /// been looked at.
    Room,
    /// The end of all groups before. The first frame has been judged.
    CaughtUp,
    /// The replies to all portals of its own group. The first frame has been judged.
    Decided,
    /// The same, whatever these portals do.
    Answered,
    /// The replies to all before, which say what the first frame means. It has been judged.
    Told,
    /// A server. The first frame has been judged.
    Server,
    /// The end of a pause. The first frame has not been looked at.
    Pause,
}

/// Whether a pause holds back what was read of the client for a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// There is none, or nothing was read.
    None,
    /// It does, where that begins something.
    HoldsBack,
}

/// Whether a frame may go to the server.
pub(super) enum Admission {
    Now,
    /// These bytes go first.
    Behind(BytesMut),
    /// Not yet; these bytes go meanwhile.
    Later(Why, BytesMut),
    /// It would end up where nothing can be taken back.
    Never(Refusal),
    /// The server would overlook it.
    Overlooked,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// May nothing more of the client be looked at? What is guarded may take data of the client's.
    pub(super) fn blocked(&self) -> bool {
        let takes = || matches!(self.stage, Stage::Guarded(..)) && P::tail(&self.phase) == Tail::Copy;
        !(self.stage.is_passing() || takes()) || self.late.is_some() || self.errand.is_some() || self.sealed()
    }

    /// Must the frames in `up.held` still wait?
    pub(super) fn waits(&self, why: Why) -> bool {
        self.crowded()
            || self.blocked()
            || match why {
                Why::Room | Why::Server => false,
                Why::Pause => self.pause == Pause::HoldsBack,
                Why::Told => self.server.owes(),
                Why::CaughtUp => matches!(P::tail(&self.phase), Tail::Closed | Tail::Buried),
                Why::Decided => self.group.is_undecided() && P::tail(&self.phase) == Tail::Open,
                Why::Answered => self.group.is_due() && P::tail(&self.phase) == Tail::Open,
            }
    }

    /// A group with a hold has its sync point, and the server is not through with it. One that began a COPY takes data.
    fn sealed(&self) -> bool {
        self.group.hold() > Hold::Nothing
            && !self.group.is_open()
            && matches!(P::tail(&self.phase), Tail::Closed | Tail::Buried)
    }

    /// Whether a frame that no rule refuses may go now.
    pub(super) fn admit(&mut self, request: Request<'_>) -> Admission {
        match request {
            Request::Run { .. } | Request::Call { .. } | Request::Sync if self.must_decide(request) => {
                self.decided_first()
            }
            Request::Run { .. } | Request::Call { .. } => {
                let watch = self.overseer.watch(request);
                self.admit_query(&watch)
            }
            Request::Execute { .. } => {
                let watch = self.overseer.watch(request);
                self.admit_execute(&watch)
            }
            // The server reads it as a part of the data: it came behind the COPY, and was held back.
            Request::Sync if self.group.is_undecided() && P::tail(&self.phase) == Tail::Copy => {
                self.group.overlooked();
                Admission::Overlooked
            }
            Request::Sync => {
                self.group.close();
                Admission::Now
            }
            _ => Admission::Now,
        }
    }

    fn admit_query(&mut self, watch: &Watch) -> Admission {
        match (watch.hold, P::tail(&self.phase)) {
            (Hold::Nothing, _) | (_, Tail::Copy | Tail::Stream | Tail::Lost | Tail::Idle) => {}
            (_, Tail::Closed | Tail::Buried) => return Admission::Later(Why::CaughtUp, BytesMut::new()),
            (Hold::Alone, Tail::Open) => {}
            // It would commit the pipeline with itself, since both are one transaction, and where the pipeline fails the server skips it
            // and answers nothing at all. So nobody could take back the one without the other, nor tell which reply is whose.
            (_, Tail::Open) => return Admission::Never(refuse::query_in_pipeline()),
        }
        self.measure(watch);
        self.group.query(watch);
        let Some(own) = self.guard(watch) else { return Admission::Now };
        self.stage = Stage::Opening(own);
        Admission::Behind(self.errand_bytes(own.open()))
    }

    /// What a Query has to be guarded by, so that it can be taken back alone.
    fn guard(&self, watch: &Watch) -> Option<Own> {
        if watch.hold < Hold::Cut || P::tail(&self.phase) != Tail::Idle {
            return None;
        }
        let saves = watch.hold == Hold::Decide && watch.undo == Undo::ToSavepoint;
        match (P::transaction(&self.phase), watch.effect) {
            (Transaction::None, Effect::Writes | Effect::Runs) => Some(Own::Transaction),
            // What an EXECUTE runs may go back to a savepoint of the client's, and ours would be gone.
            (Transaction::Open, Effect::Writes) if saves => Some(Own::Savepoint),
            _ => None,
        }
    }

    fn admit_execute(&mut self, watch: &Watch) -> Admission {
        let tail = P::tail(&self.phase);
        if watch.hold > Hold::Nothing && matches!(tail, Tail::Closed | Tail::Buried) {
            return Admission::Later(Why::CaughtUp, BytesMut::new());
        }
        // It may be a COMMIT.
        if watch.effect >= Effect::Runs && tail == Tail::Open && self.group.is_undecided() {
            return self.decided_first();
        }
        // Its rows must be counted for no other portal's.
        if watch.returned.is_some() && tail == Tail::Open && self.group.is_due() {
            return self.after(Why::Answered);
        }
        let saves = self.saves(watch);
        if saves && tail == Tail::Open && self.group.is_due() {
            return self.after(Why::Answered);
        }
        self.measure(watch);
        self.group.execute(watch);
        if saves { self.save() } else { Admission::Now }
    }

    /// Can a portal be taken back alone? One that is read in portions has written everything with the first of them.
    fn saves(&self, watch: &Watch) -> bool {
        watch.hold == Hold::Decide
            && watch.undo == Undo::ToSavepoint
            && watch.effect == Effect::Writes
            && watch.returned.is_none()
            && P::transaction(&self.phase) == Transaction::Open
            && matches!(P::tail(&self.phase), Tail::Idle | Tail::Open)
            && self.group.is_sound()
    }

    /// What goes in front of a portal that is taken back alone; a Sync goes behind it.
    fn save(&mut self) -> Admission {
        let mut bytes = BytesMut::new();
        self.stage = Stage::Opening(Own::Portal);
        if P::tail(&self.phase) == Tail::Open {
            self.stage = Stage::Preceding;
            bytes = self.errand_bytes(Errand::Sync);
        }
        let savepoint = self.errand_bytes(Own::Portal.open());
        bytes.extend_from_slice(&savepoint);
        self.errand = Some(Errand::Sync);
        Admission::Behind(bytes)
    }

    /// Would this end the group, and commit what is not decided? A cut of what only reads needs no commit to be held back.
    fn must_decide(&self, request: Request<'_>) -> bool {
        let reads = self.group.effect() == Effect::Reads || P::transaction(&self.phase) != Transaction::None;
        let harmless = matches!(request, Request::Sync) && self.group.hold() < Hold::Decide && reads;
        !harmless && self.group.is_undecided() && P::tail(&self.phase) == Tail::Open
    }

    fn decided_first(&mut self) -> Admission {
        self.after(Why::Decided)
    }

    /// The server sends nothing of a pipeline without its Sync, unless it is asked to.
    fn after(&mut self, why: Why) -> Admission {
        let flush = if self.group.flush() { self.errand_bytes(Errand::Flush) } else { BytesMut::new() };
        Admission::Later(why, flush)
    }

    fn measure(&mut self, watch: &Watch) {
        self.meter.set(watch);
        // Otherwise the limits begin to hold with the reply after the one under way.
        let begins = match P::tail(&self.phase) {
            Tail::Idle | Tail::Open => self.group.is_answered(),
            Tail::Closed | Tail::Buried => false,
            Tail::Copy | Tail::Stream | Tail::Lost => true,
        };
        if begins {
            self.meter.begin();
        }
    }

    pub(super) fn errand_bytes(&mut self, errand: Errand<'_>) -> BytesMut {
        let mut bytes = BytesMut::new();
        P::send(&mut self.phase, errand, &mut bytes);
        self.server.sent(&bytes);
        bytes
    }

    /// Sends what is to be sent, once no frame of the client is half sent.
    pub(super) fn run_errand(&mut self) {
        if self.up.passing == 0
            && let Some(errand) = self.errand.take()
        {
            let bytes = self.errand_bytes(errand);
            self.up.unsent.extend_from_slice(&bytes);
        }
    }

    /// Notes that the first frame of what is held has to wait.
    pub(super) const fn stall(&mut self, why: Why) -> Decision {
        self.attention = Attention::Stalled(why);
        Decision::Halt
    }
}
