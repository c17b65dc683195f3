//! What happens where a reply or a write turns out to be more than allowed.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::outcome::{Fate, Pipeline};
use super::source::Source;
use super::stage::{Event, Next, Scope, Stage};
use crate::guard::plan::Effect;
use crate::session::end::End;
use crate::session::overseer::Overseer;
use crate::session::watch::{Excess, Reach, Ruling};
use crate::wire::{Announcement, Errand, Protocol, Refusal, Tail, Transaction};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// What becomes of the row, of so many bytes, that is one too many.
    pub(super) fn overflowed(&mut self, excess: Excess, size: u64, frame: &[u8]) -> Result<Fate, End> {
        // Once for each reply is enough.
        self.meter.lift(size);
        let fate = self.exceeded(excess, Event::Other, frame)?;
        if self.discards() {
            self.overseer.tally(self.meter.tally());
        }
        Ok(fate)
    }

    /// What becomes of a frame with which a statement has sent or changed too much.
    pub(super) fn exceeded(&mut self, excess: Excess, event: Event, frame: &[u8]) -> Result<Fate, End> {
        let lost = P::tail(&self.phase) == Tail::Lost;
        match self.overseer.excess(excess, self.reach(excess)) {
            // Where nobody can tell what a cancel would hit, only the end of the session stops the reply.
            Ruling::Fail(_) if lost => Err(End::Overrun),
            Ruling::Fail(refusal) => {
                self.cut(excess, &refusal);
                Ok(Fate::Drop)
            }
            Ruling::Warn(refusal) => {
                P::announce(Announcement::Warning(&refusal), &mut self.words);
                Ok(self.staged(event, frame))
            }
            Ruling::Pass => Ok(self.staged(event, frame)),
        }
    }

    fn reach(&self, excess: Excess) -> Reach {
        let changes = matches!(excess, Excess::Changes(_));
        match (&self.stage, P::tail(&self.phase)) {
            (Stage::Guarded(..), _) | (Stage::Passing, Tail::Open) => Reach::Whole,
            (Stage::Passing, Tail::Lost) if !changes => Reach::Whole,
            (Stage::Passing, Tail::Closed) => {
                // What commits itself has done so when its end is here.
                let effect = self.group.effect();
                let commits = P::transaction(&self.phase) == Transaction::None && effect != Effect::Opens;
                let writes = changes || matches!(effect, Effect::Writes | Effect::Runs);
                if commits && writes { Reach::Late } else { Reach::Whole }
            }
            _ => Reach::Late,
        }
    }

    /// The client gets its error here and nothing else of this group; the server is stopped, and made to fail where it must.
    fn cut(&mut self, excess: Excess, refusal: &Refusal) {
        let open = P::tail(&self.phase) == Tail::Open;
        let otherwise = if open { Scope::Pipeline } else { Scope::Group };
        let (scope, kept) = self.stage.cut(excess.rule(), otherwise);
        self.words.extend_from_slice(&kept);
        P::announce(Announcement::Error(refusal), &mut self.words);
        if scope == Scope::Pipeline {
            self.errand = Some(Errand::FailPipeline(excess.rule()));
        }
        self.late = None;
        if !matches!(excess, Excess::Changes(_)) {
            self.overseer.stop(excess.rule());
        }
    }

    /// Goes on where a cut has come to its end. True where it has.
    pub(super) fn poll_settle(&mut self, cx: &mut Context<'_>) -> bool {
        let Stage::Cut(cut) = &self.stage else { return false };
        let Poll::Ready(()) = self.overseer.poll_stopped(cx, cut.work()) else { return false };
        match self.stage.settle() {
            None => return false,
            Some(Next::Boundary(transaction)) => {
                P::boundary(transaction, &mut self.answers);
                self.boundary(transaction);
            }
            // The pipeline has failed, so nothing of ours needs to fail in it any more.
            Some(Next::Sync) => self.errand = None,
            Some(Next::Errand(errand)) => self.errand = Some(errand),
        }
        true
    }

    /// Is what the server sends of this group of no use to anybody?
    pub(super) const fn discards(&self) -> bool {
        matches!(&self.stage, Stage::Cut(_))
    }

    /// What the stage makes of a frame.
    pub(super) fn staged(&mut self, event: Event, frame: &[u8]) -> Fate {
        if self.stage.is_passing() {
            return Fate::Pass;
        }
        let outcome = self.stage.server(event, frame);
        self.words.extend_from_slice(&outcome.before);
        if outcome.errand.is_some() {
            self.errand = outcome.errand;
        }
        match outcome.pipeline {
            Pipeline::AsIs => {}
            Pipeline::Answered => self.group.answered(),
            Pipeline::Failed(transaction) => {
                self.boundary(transaction);
                P::skip(&mut self.phase);
            }
        }
        outcome.fate
    }
}
