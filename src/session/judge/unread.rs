//! How a session comes by what a text says: from the worker's caches, or by waiting for its reader.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::text::Case;
use super::{Judge, Lending};
use crate::client::refuse;
use crate::guard::{Fetch, Whole};
use crate::roster::Entry;
use crate::session::overseer::{Extent, Opinion};
use crate::session::reader::analyst::{Failed, LongText, Pending, Report, Settings as ReadBy};
use crate::session::reader::manner::{Doubt, Manner};
use crate::session::reader::{Found, READ_HERE_MAX, READ_HERE_SEMICOLONS, READ_OFTEN_MAX};
use crate::sql::encoding::depends_on_settings;
use crate::telemetry::TextLent;

/// Of a text that is too long to be held, so much is looked at before more of it is.
const BEGINNING: usize = 8 * 1024;

/// A text whose reading is under way.
pub(super) struct Unread {
    reading: Pending,
    case: Case,
    source: Source,
}

/// What is kept of such a text.
enum Source {
    Short {
        /// To be remembered; `None` where only its beginning is here.
        text: Option<Box<[u8]>>,
        doubt: Option<Doubt>,
    },
    /// Its reader has it, and reads it in every way that is in question.
    Long { _lent: TextLent },
}

impl Judge {
    /// The opinion that had to wait for a reading.
    pub fn poll_opinion(&mut self, cx: &mut Context<'_>, who: &Entry) -> Poll<Opinion> {
        if let Some(opinion) = ready!(self.poll_bound(cx, who)) {
            return Poll::Ready(opinion);
        }
        loop {
            let Some(unread) = &mut self.pending else { return Poll::Ready(Opinion::Allow) };
            let report = ready!(unread.reading.as_mut().poll(cx));
            let Some(Unread { case, source, .. }) = self.pending.take().map(|unread| *unread) else { continue };
            self.refresh(who);
            let (text, doubt) = match source {
                Source::Short { text, doubt } => (text, doubt),
                Source::Long { .. } => (None, None),
            };
            let opinion = match report {
                Ok(report) => self.take_in(report, text.as_deref(), case, who),
                Err(Failed::Parser) => self.unreadable(case),
                Err(Failed::Room(bytes)) => Opinion::Refuse(refuse::memory(bytes)),
            };
            match self.read_on(opinion, doubt, case, who) {
                Opinion::Wait => {}
                opinion => return Poll::Ready(opinion),
            }
        }
    }

    /// Judges what an analyst has read, in each way that it was read.
    fn take_in(&mut self, report: Report, text: Option<&[u8]>, mut case: Case, who: &Entry) -> Opinion {
        if case.whole == Whole::Whole && report.text_bytes > 0 {
            case.bytes = report.text_bytes;
        }
        let slow = self.local.reader.borrow().spent(report.spent);
        let mut opinion = Opinion::Allow;
        for analysis in report.readings {
            let read = self.local.reader.borrow_mut().learn(text, analysis);
            if slow {
                self.log_slow(&read, report.spent, who);
            }
            opinion = self.judge(read, case, None, who);
            if matches!(opinion, Opinion::Refuse(_)) {
                break;
            }
        }
        opinion
    }

    /// Takes what [`Opinion::Lend`] asked for: a text, or the values of a Bind.
    pub fn lend(&mut self, bytes: Bytes) {
        match self.lending.take().map(|lending| *lending) {
            Some(Lending::Text(case)) => self.lend_text(case, bytes),
            Some(Lending::Values(unbound)) => self.lend_values(unbound, bytes),
            None => {}
        }
    }

    fn lend_text(&mut self, case: Case, text: Bytes) {
        let lent = self.local.metrics.text_lent(text.len() as u64);
        let settings = if self.in_flight { ReadBy::InDoubt } else { ReadBy::Known };
        let reading = self.local.reader.borrow().read(LongText { bytes: text, own: self.manner, settings });
        self.pending = Some(Box::new(Unread { reading, case, source: Source::Long { _lent: lent } }));
    }

    /// Nobody waits for an opinion any more.
    pub fn withdraw(&mut self) {
        self.pending = None;
        self.uncounted = None;
        self.lending = None;
    }

    /// Judges a text that is a request of its own.
    pub(super) fn read(&mut self, text: &[u8], frame: Extent, fetch: Fetch, who: &Entry) -> Opinion {
        let hold = self.hold();
        let mut case = if frame.size <= hold {
            Case { bytes: text.len() as u64, whole: Whole::Whole, fetch, more: None }
        } else {
            let more = (frame.held < hold).then_some(hold);
            Case { bytes: frame.size, whole: Whole::PrefixOnly, fetch, more }
        };
        let text = if case.more.is_some() { text.get(..BEGINNING).unwrap_or(text) } else { text };
        let often = self.in_flight && text.len() > READ_OFTEN_MAX && text.len() <= READ_HERE_MAX;
        if is_long(text) || (often && depends_on_settings(text)) {
            // Only one of its readings is remembered, so all of them have to pass now.
            self.lending = Some(Box::new(Lending::Text(Case { fetch: Fetch::All, ..case })));
            return Opinion::Lend;
        }
        if self.in_flight
            && let Some(doubt) = Doubt::about(text, self.manner)
        {
            case.fetch = Fetch::All;
            return self.read_on(Opinion::Allow, Some(doubt), case, who);
        }
        self.read_in(self.manner, text, case, who)
    }

    fn read_in(&mut self, manner: Manner, text: &[u8], case: Case, who: &Entry) -> Opinion {
        let text = manner.encoding.disarm(text);
        let found = self.local.reader.borrow_mut().find(manner.flags, &text);
        match found {
            Found::Known(read) => self.judge(read, case, None, who),
            Found::Reading(reading) => {
                let text = (case.whole == Whole::Whole).then(|| text.as_ref().into());
                self.pending = Some(Box::new(Unread { reading, case, source: Source::Short { text, doubt: None } }));
                Opinion::Wait
            }
        }
    }

    /// Reads a text in one manner after the other, until one is refused or has to wait.
    fn read_on(&mut self, mut opinion: Opinion, mut doubt: Option<Doubt>, case: Case, who: &Entry) -> Opinion {
        loop {
            match opinion {
                Opinion::Refuse(_) => return opinion,
                Opinion::Wait | Opinion::Lend => {
                    if let Some(Unread { source: Source::Short { doubt: left, .. }, .. }) = self.pending.as_deref_mut()
                    {
                        *left = doubt;
                    }
                    return opinion;
                }
                Opinion::Allow | Opinion::Warn(_) | Opinion::More(_) => {}
            }
            let Some(left) = &mut doubt else { return opinion };
            let Some(manner) = left.next_manner() else { return opinion };
            opinion = self.read_in(manner, &left.text, case, who);
        }
    }
}

/// Would reading it keep the worker from its other sessions?
fn is_long(text: &[u8]) -> bool {
    text.len() > READ_HERE_MAX
        || (text.len() > READ_OFTEN_MAX && memchr::memchr_iter(b';', text).count() > READ_HERE_SEMICOLONS)
}
