//! `/api/report`: what the rules saw, as JSON.

use serde_json::{Value, json};

use super::http::Http;
use crate::telemetry::report::{LimitReport, RuleReport, TopRow};
use crate::units::display_bytes;

/// All that `SHOW REPORT` and `SHOW REPORT rule` tell. Numbers are in the unit that stands beside them.
pub(super) fn report(http: &Http) -> Value {
    let rules = http.metrics.report().of(&(http.rules)());
    json!({ "rules": rules.iter().map(rule).collect::<Vec<_>>() })
}

fn rule(report: &RuleReport) -> Value {
    json!({
        "rule": report.rule,
        "mode": report.mode,
        "state": report.state,
        "seconds": report.seconds,
        "refused": report.refused,
        "warned": report.warned,
        "last_seconds": report.last_seconds,
        "limits": report.limits.iter().map(limit).collect::<Vec<_>>(),
        "callers": report.callers.iter().map(|row| hits("client", row)).collect::<Vec<_>>(),
        "shapes": report.shapes.iter().map(|row| hits("shape", row)).collect::<Vec<_>>(),
    })
}

fn limit(limit: &LimitReport) -> Value {
    json!({
        "setting": limit.setting,
        "unit": limit.unit.label(),
        "limit": limit.limit,
        "observed": limit.observed,
        "largest": limit.largest,
        "p99_9": limit.p99_9,
        "suggested": limit.suggested,
        "suggested_setting": limit.suggested.map(|suggested| limit.unit.exact(suggested)),
        "above_suggested": limit.above_suggested,
    })
}

fn hits(key: &'static str, row: &TopRow) -> Value {
    json!({
        key: display_bytes(&row.key),
        "hits": row.count,
        "largest": row.largest,
        "last_seconds": row.last_seconds,
    })
}
