//! The break-glass passes of one session: signed comments that lift rules for one statement.
//!
//! A pass is looked at only where a rule would refuse or warn. What a client shows is noted as it came and proved each time it
//! is used, so that a pass ends when its time is over, and when RELOAD takes another key. It belongs to a text and to no reading: texts
//! that read alike share one in the worker's caches, and none of them ever holds a pass.
//!
//! Rules that measure while a statement runs ask the same way: keep [`BreakGlass::shown`] with the statement, and before its limit
//! acts ask [`BreakGlass::prove`] whether the pass names the rule.

use std::rc::Rc;
use std::sync::Arc;

use crate::clock;
use crate::guard::Breach;
use crate::guard::pass::{self, Bearer, Flaw, Key, Pass};
use crate::roster::Entry;
use crate::session::house::Common;
use crate::telemetry::Pass as Line;
use crate::units::display_bytes;

/// A comment that claims to be a pass, as the client sent it.
pub type Shown = Rc<[u8]>;

/// What one session shows.
#[derive(Debug, Default)]
pub struct BreakGlass(Option<Box<Passes>>);

/// Only where there is a key, or was one.
#[derive(Debug, Default)]
struct Passes {
    /// `None`: there are no passes any more.
    key: Option<Arc<Key>>,
    /// That of the statement the client speaks of.
    shown: Option<Shown>,
}

impl BreakGlass {
    /// A session of a listener with that key, which has shown nothing.
    pub fn new(key: Option<Arc<Key>>) -> Self {
        Self(key.map(|key| Box::new(Passes { key: Some(key), ..Passes::default() })))
    }

    /// The key that counts from now on.
    pub fn set_key(&mut self, key: Option<Arc<Key>>) {
        match &mut self.0 {
            Some(passes) => passes.key = key,
            None => *self = Self::new(key),
        }
    }

    /// Where there is a key.
    fn open(&mut self) -> Option<&mut Passes> {
        self.0.as_deref_mut().filter(|passes| passes.key.is_some())
    }

    /// Notes what the text of a statement shows. Where there is a key, this looks at the two ends of the text; otherwise it
    /// does nothing.
    pub fn note(&mut self, text: &[u8]) {
        if let Some(passes) = self.open() {
            passes.shown = pass::find(text).map(Rc::from);
        }
    }

    /// Notes that a statement runs which was prepared or bound before: what its text showed counts again.
    pub fn show(&mut self, shown: Option<Shown>) {
        if let Some(passes) = &mut self.0 {
            passes.shown = shown;
        }
    }

    /// What the statement shows that was noted last: for limits that act while it runs.
    pub fn shown(&self) -> Option<Shown> {
        self.0.as_ref()?.shown.clone()
    }

    /// What is to be kept with the statement that was noted last, which is prepared. A pass that does not hold now is not: memory is
    /// for those who hold one.
    pub fn kept(&self, who: &Entry) -> Option<Shown> {
        let passes = self.0.as_deref()?;
        let shown = passes.shown.as_ref()?;
        let verified = verify(passes.key.as_deref(), shown, who)?;
        verified.is_ok().then(|| Rc::clone(shown))
    }

    /// The pass that was shown, where it holds for this session at this moment. One that does not is counted and logged, and
    /// is as good as none.
    pub fn prove(&self, shown: Option<&Shown>, who: &Entry, common: &Common) -> Option<Pass> {
        match verify(self.0.as_ref()?.key.as_deref(), shown?, who)? {
            Ok(pass) => Some(pass),
            Err(flaw) => {
                rejected(flaw, who, common);
                None
            }
        }
    }
}

fn verify(key: Option<&Key>, shown: &Shown, who: &Entry) -> Option<Result<Pass, Flaw>> {
    let bearer = Bearer { user: &who.identity.user, database: &who.identity.database };
    Some(Pass::verify(shown, key?, bearer, clock::wall().as_secs()))
}

fn rejected(flaw: Flaw, who: &Entry, common: &Common) {
    common.metrics.break_glass_rejected(flaw.label());
    let key = format!("break_glass {} {}", flaw.label(), who.client);
    if let Line::Write { suppressed } = common.gate.pass(&key) {
        let (client, number, peer, reason) = (&who.client, who.number, &who.peer, flaw.label());
        tracing::warn!(%client, number, %peer, reason, suppressed, "a break-glass pass does not hold and was ignored");
    }
}

/// Counts and logs what a pass lifted; `shape` is the statement without its literals.
pub fn lifted(pass: &Pass, breaches: &[Breach], shape: &[u8], who: &Entry, common: &Common) {
    for breach in breaches {
        common.metrics.break_glass(breach.rule);
        // One rate for each rule of each pass: the first uses of every pass are in the log.
        let (rule, until) = (breach.rule, pass.until_text());
        let key = format!("break_glass {rule} {until} {} {}", who.client, pass.reason);
        if let Line::Write { suppressed } = common.gate.pass(&key) {
            let (client, number, peer, measured) = (&who.client, who.number, &who.peer, breach.measured_text());
            let [user, database, reason] =
                [&who.identity.user, &who.identity.database, &pass.reason].map(|text| display_bytes(text.as_bytes()));
            let shape = display_bytes(shape);
            tracing::warn!(
                rule, %client, number, %peer, user, database, reason, until, measured, shape, suppressed,
                "audit: a statement passed by break-glass"
            );
        }
    }
}
