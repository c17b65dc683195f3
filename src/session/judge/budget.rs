//! The budgets of a client: what is watched of a statement with a given plan, and what to say where it is too much.

use crate::guard::limits::{CopyOut, Fate, Limits, ResultLimit, Undo};
use crate::guard::plan::Extent;
use crate::guard::{Breach, Mode, Plan};
use crate::session::watch::{Allowance, Excess, Hold, Reach, Streams, Watch};

/// What is watched. A statement whose rows are known to be few enough is counted, but nothing waits for it.
pub fn watch(limits: &Limits, plan: Plan) -> Watch {
    Watch {
        allowance: limits.result.as_ref().map_or(Allowance::UNLIMITED, allowance),
        changes_max: limits.write.map_or(u64::MAX, |limit| limit.max_rows),
        returned: None,
        hold: hold(limits, plan),
        effect: plan.effect,
        undo: limits.write.map_or(Undo::Abort, |limit| limit.undo),
    }
}

fn hold(limits: &Limits, plan: Plan) -> Hold {
    let enforced = |mode: Option<Mode>| mode == Some(Mode::Enforce);
    if plan.changes == Extent::Unknown && enforced(limits.write.map(|limit| limit.mode)) {
        Hold::Decide
    } else if plan.rows == Extent::Unknown && enforced(limits.result.map(|limit| limit.mode)) {
        Hold::Cut
    } else if enforced(limits.statement.map(|limit| limit.mode)) {
        Hold::Alone
    } else {
        Hold::Nothing
    }
}

/// The plan of one portion of a portal.
pub fn portion(limits: &Limits, plan: Plan, rows: Option<u32>) -> Plan {
    let fits = |rows: u32| limits.result.is_some_and(|limit| u64::from(rows) <= limit.max_rows);
    if rows.is_some_and(fits) { Plan { rows: plan.rows.min(Extent::Within), ..plan } } else { plan }
}

/// The same for one portion of a portal that returns what it changed: the server counts that with the last portion only. `before`:
/// rows that were asked of it so far, all of which came, or there would be nothing left to ask for.
pub fn returning(watch: Watch, before: Option<u64>) -> Watch {
    Watch { returned: before.filter(|_| watch.hold == Hold::Decide), ..watch }
}

/// The words for an excess, and the mode of its rule. `None` where the rule is off by now.
pub fn breach(limits: &Limits, excess: Excess, reach: Reach) -> Option<(Breach, Mode)> {
    let fate = |mode| if mode == Mode::Enforce && reach == Reach::Whole { Fate::Failed } else { Fate::Passed };
    match excess {
        Excess::Rows => limits.result.map(|limit| (limit.too_many_rows(fate(limit.mode)), limit.mode)),
        Excess::Bytes(rows) => limits.result.map(|limit| (limit.too_many_bytes(rows, fate(limit.mode)), limit.mode)),
        Excess::Changes(rows) => limits.write.map(|limit| (limit.too_many_rows(rows, fate(limit.mode)), limit.mode)),
        Excess::Time => limits.statement.map(|limit| (limit.too_long(), limit.mode)),
    }
}

fn allowance(limit: &ResultLimit) -> Allowance {
    let copy = match limit.copy {
        CopyOut::Counted => Streams::Counted,
        CopyOut::Free => Streams::Free,
    };
    Allowance { rows: limit.max_rows, bytes: limit.max_bytes.0, copy }
}
