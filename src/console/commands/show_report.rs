//! SHOW REPORT: what each rule measured and found fault with; SHOW REPORT of one rule: who sent it, and which statements.

use std::time::Duration;

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::telemetry::report::{LimitReport, RuleReport, TopRow};
use crate::units::{display_bytes, display_duration};

pub(super) const DEF: Def = Def {
    name: "SHOW REPORT",
    syntax: "SHOW REPORT",
    summary: "what each rule saw, refused and warned of, and a limit that would fit (p99.9 of what was seen)",
    role: Role::Read,
    columns: &[
        text("rule"),
        text("mode"),
        count("observed"),
        count("refused"),
        count("warned"),
        count("callers"),
        text("largest"),
        text("p99_9"),
        text("suggested"),
        text("limit"),
        text("since"),
    ],
    run: |asked| {
        asked.nothing_more(&DEF)?;
        Ok(Answer::rows(reports(asked).iter().flat_map(rows)))
    },
};

pub(super) const OF_RULE: Def = Def {
    name: "SHOW REPORT *",
    syntax: "SHOW REPORT rule",
    summary: "who sent what one rule found fault with, and in which statements",
    role: Role::Read,
    columns: &[text("what"), count("hits"), count("largest"), count("last_seconds"), text("name")],
    run: of_rule,
};

fn reports(asked: &Asked<'_>) -> Vec<RuleReport> {
    asked.sources.metrics.report().of(&(asked.sources.rules)())
}

/// One row; one more for each further limit, which repeats nothing that people could add up.
fn rows(report: &RuleReport) -> Vec<Row> {
    let mut limits = report.limits.iter();
    let mut first = vec![report.rule.into(), report.state.into()];
    let main = limits.next();
    first.push(main.map(|limit| limit.observed).into());
    first.extend([report.refused.into(), report.warned.into(), (report.callers.len() as u64).into()]);
    first.extend(main.map_or_else(|| vec![Value::Null; 4], figures));
    first.push(since(report.seconds).into());
    let further = limits.map(|limit| {
        let mut row = vec![format!("{}.{}", report.rule, limit.setting).into(), Value::Null, limit.observed.into()];
        row.extend([Value::Null, Value::Null, Value::Null]);
        row.extend(figures(limit));
        row.push(Value::Null);
        row
    });
    std::iter::once(first).chain(further).collect()
}

/// `largest`, `p99_9`, `suggested`, `limit`.
fn figures(limit: &LimitReport) -> Vec<Value> {
    let rough = |value: Option<u64>| value.map(|value| limit.unit.rough(value)).into();
    let suggested = match limit.suggested {
        Some(suggested) => limit.unit.exact(suggested),
        None if limit.observed == 0 => return vec![Value::Null, Value::Null, Value::Null, exact(limit)],
        None => "not yet".to_owned(),
    };
    vec![rough(limit.largest), rough(limit.p99_9), suggested.into(), exact(limit)]
}

fn exact(limit: &LimitReport) -> Value {
    limit.limit.map(|value| limit.unit.exact(value)).into()
}

/// Two units are enough to read.
fn since(seconds: u64) -> String {
    let smallest = match seconds {
        0..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    display_duration(Duration::from_secs(seconds - seconds % smallest))
}

fn of_rule(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let [name] = asked.args[..] else { return Err(OF_RULE.misused()) };
    let reports = reports(asked);
    let Some(report) = reports.iter().find(|report| report.rule.eq_ignore_ascii_case(name)) else {
        let names: Vec<&str> = reports.iter().map(|report| report.rule).collect();
        let failure = Failure::new("42704", format!("no rule is called {}", display_bytes(name.as_bytes())));
        return Err(failure.hint(format!("The rules are {}.", names.join(", "))));
    };
    let callers = report.callers.iter().map(|row| hits("caller", row));
    Ok(Answer::rows(callers.chain(report.shapes.iter().map(|row| hits("shape", row)))))
}

fn hits(what: &'static str, row: &TopRow) -> Row {
    let name = display_bytes(&row.key);
    vec![what.into(), row.count.into(), row.largest.into(), row.last_seconds.into(), name.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        for (seconds, shown) in [(0, "0s"), (3_599, "59m59s"), (7_999, "2h13m"), (93_599, "1d1h")] {
            assert_eq!(since(seconds), shown);
        }
    }
}
