//! Counts and logs what rules found.

use super::house::House;
use super::reader::Text;
use crate::guard::Breach;
use crate::roster::Entry;
use crate::telemetry::Pass;
use crate::units::display_bytes;

/// What became of a statement in which a rule found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never ran.
    Refused,
    /// It was stopped, or taken back.
    Failed,
    /// It went on, since the rule is in `warn`.
    Warned,
    /// It went on, since nothing could be taken back any more.
    TooLate,
}

impl Fate {
    const fn mode(self) -> &'static str {
        match self {
            Self::Refused | Self::Failed => "enforce",
            Self::Warned | Self::TooLate => "warn",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Refused => "a statement was refused",
            Self::Failed => "a statement was stopped or rolled back",
            Self::Warned => "a statement passed with a warning",
            Self::TooLate => "a statement could not be taken back and passed",
        }
    }
}

/// Counts and logs a breach. `text`: the statement, where it is known.
pub fn report(house: &House, who: &Entry, text: Option<&Text>, breach: &Breach, fate: Fate) {
    let metrics = &house.common.metrics;
    metrics.verdict(breach.rule, fate.mode(), 1);
    if let Fate::Refused | Fate::Failed = fate {
        metrics.refused(breach.rule, &who.client);
        if let Some(text) = text {
            text.shape.stat.refused();
        }
    }
    log(house, who, text, breach, fate);
}

fn log(house: &House, who: &Entry, text: Option<&Text>, breach: &Breach, fate: Fate) {
    // One client's lines must not crowd out another's.
    let key = format!("{} {}", breach.rule, who.client);
    if let Pass::Write { suppressed } = house.common.gate.pass(&key) {
        let Breach { rule, measured, limit, .. } = breach;
        let (client, number, peer) = (&who.client, who.number, who.peer);
        let shape = display_bytes(text.map_or(&[], |text| &text.shape.text));
        let (mode, said) = (fate.mode(), fate.words());
        tracing::warn!(rule, mode, %client, number, %peer, measured, limit, shape, suppressed, "{said}");
    }
}
