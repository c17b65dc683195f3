//! Rules that panic, in a registry of their own beside ones that work.

use toml::Table;

use super::breach::{Breach, Mode};
use super::failure::State;
use super::intake::{Entry, Intake};
use super::measure::Measure;
use super::rule::OnPanic;
use super::rule::{Finding, Rule, RuleDef};
use super::rules;
use super::verdict::Judgement;
use super::{Guard, settings::Section};
use crate::sql::{Flags, Reading, Verb};
use crate::units::Unit;

/// What a test rule does with an INSERT; anything else it finds good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnInsert {
    Panics,
    PanicsWhileMeasuring,
    FindsFault,
}

impl Rule for OnInsert {
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        if entry.piece.verb != Verb::Insert || *self == Self::PanicsWhileMeasuring {
            return None;
        }
        assert!(*self != Self::Panics, "a rule with a fault");
        Some(Finding::Breach(Breach {
            rule: SOUND.name,
            statement: entry.index,
            measured: "1".to_owned(),
            limit: 0,
            unit: Unit::Count,
            message: String::new(),
            hint: String::new(),
        }))
    }

    fn measure(&self, entry: &Entry<'_>, tell: &mut dyn FnMut(Measure, u64)) {
        assert!(*self != Self::PanicsWhileMeasuring, "a rule with a fault");
        tell(Measure::BulkRows, entry.bytes());
    }
}

const fn rule(name: &'static str, on_panic: OnPanic, build: fn(&mut Section<'_>) -> Box<dyn Rule>) -> RuleDef {
    RuleDef { name, summary: "for tests", mode: Mode::Enforce, settings: &[], on_panic, build }
}

const LENIENT: RuleDef = rule("lenient", OnPanic::Allow, |_| Box::new(OnInsert::Panics));
const STRICT: RuleDef = rule("strict", OnPanic::Refuse, |_| Box::new(OnInsert::Panics));
const MEASURES: RuleDef = rule("measures", OnPanic::Allow, |_| Box::new(OnInsert::PanicsWhileMeasuring));
const SOUND: RuleDef = rule("sound", OnPanic::Allow, |_| Box::new(OnInsert::FindsFault));

static ALLOWS: &[RuleDef] = &[LENIENT, SOUND];
static REFUSES: &[RuleDef] = &[STRICT];
static MEASURING: &[RuleDef] = &[MEASURES, SOUND];

fn guard(registry: &'static [RuleDef]) -> Guard {
    Guard::build_of(registry, &Table::new()).unwrap()
}

/// A guard whose rule `lenient` panics over an INSERT, which `sound` then refuses.
pub(crate) fn failing() -> Guard {
    guard(ALLOWS)
}

fn on<T>(sql: &str, run: impl FnOnce(&Intake<'_>) -> T) -> T {
    let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
    run(&Intake::of_text(&reading, None, sql.len() as u64))
}

fn judged(guard: &Guard, sql: &str) -> Judgement {
    on(sql, |intake| guard.judge(intake))
}

fn states(guard: &Guard) -> Vec<&'static str> {
    guard.states().map(|(_, state)| state.label()).collect()
}

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn a_rule_that_panics_is_off_from_then_on_alone_and_told_once() {
    let guard = guard(ALLOWS);
    assert!(judged(&guard, "SELECT 1").failed.is_empty());
    let first = judged(&guard, INSERT);
    assert_eq!(first.failed, [&LENIENT]);
    assert!(!first.allows(), "the sound rule still has its say on the very statement");
    assert_eq!(states(&guard), ["failed", "enforce"]);
    let second = judged(&guard, INSERT);
    assert!(second.failed.is_empty() && !second.allows());
}

#[test]
fn a_rule_that_refuses_when_it_fails_lets_transactions_end() {
    let guard = guard(REFUSES);
    assert!(judged(&guard, "SELECT 1").allows());
    let first = judged(&guard, INSERT);
    assert_eq!(first.failed, [&STRICT]);
    assert!(!first.allows() && !judged(&guard, "SELECT 1").allows());
    for sql in ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", ""] {
        assert!(judged(&guard, sql).allows(), "{sql}");
    }
}

#[test]
fn in_warn_a_failed_rule_refuses_nothing() {
    let guard = Guard::build_of(REFUSES, &"mode = 'warn'".parse().unwrap()).unwrap();
    let judgement = judged(&guard, INSERT);
    assert!(judgement.allows());
    assert_eq!((judgement.warned.len(), judgement.warned[0].rule), (1, "strict"));
}

#[test]
fn a_rule_that_panics_while_it_measures_is_off_too() {
    let guard = guard(MEASURING);
    let measured = on(INSERT, |intake| guard.measure(intake));
    assert_eq!(measured.failed, [&MEASURES]);
    assert_eq!(measured.values, [(Measure::BulkRows, INSERT.len() as u64)], "nothing is told twice");
    assert_eq!(states(&guard), ["failed", "enforce"]);
}

#[test]
fn a_rule_that_failed_for_one_client_is_off_for_all_of_that_configuration() {
    let base = Guard::build(&Table::new()).unwrap();
    let own = base.with_overrides(&"bulk_write.max_rows = 7".parse().unwrap()).unwrap();
    let place = rules::ALL.iter().position(|rule| rule.name == "bulk_write").unwrap();
    let (_, failed) = own.failures.watch(|running| {
        if !own.failures.has(place) {
            running.run(place, || panic!("a rule with a fault"));
        }
    });
    assert_eq!(failed, [place]);
    let state = |guard: &Guard| guard.states().nth(place).map(|(_, state)| state);
    assert_eq!((state(&base), state(&own)), (Some(State::Failed), Some(State::Failed)));
    let again = Guard::build(&Table::new()).unwrap();
    assert_eq!(state(&again), Some(State::Runs(Mode::Enforce)), "a new reading of the configuration starts anew");
}

#[test]
#[should_panic(expected = "not of a rule")]
fn a_panic_outside_of_rules_is_not_a_rules() {
    guard(ALLOWS).failures.watch(|_| -> () { panic!("not of a rule") });
}
