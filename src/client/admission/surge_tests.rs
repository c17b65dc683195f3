use proptest::prelude::*;

use super::*;

/// Looks each 250 ms at what `connections` says of a time in seconds; gives the states with their times.
fn run(limit: Option<usize>, seconds: f64, connections: impl Fn(f64) -> usize) -> Vec<(f64, SurgeState)> {
    let mut surge = Surge::default();
    let looks = (seconds * 4.0) as u64;
    let mut states = Vec::new();
    for n in 0..looks {
        let at = Duration::from_millis(250 * n);
        let look = Look { at, connections: connections(at.as_secs_f64()), limit };
        states.push((at.as_secs_f64(), surge.observe(look).0));
    }
    states
}

fn first(states: &[(f64, SurgeState)], state: SurgeState) -> Option<f64> {
    states.iter().find(|(_, it)| *it == state).map(|(at, _)| *at)
}

#[test]
fn seventy_of_115_within_three_seconds_is_seen_before_they_are_over() {
    // Ten minutes of calm, then seventy more connections in three seconds.
    let surge = |t: f64| 12 + if t < 600.0 { 0 } else { (70.0 * ((t - 600.0) / 3.0).min(1.0)) as usize };
    let states = run(Some(115), 700.0, surge);
    assert!(states.iter().all(|(at, state)| *at < 5.0 || *at > 600.0 || *state == SurgeState::Calm));
    let seen = states.iter().find(|(at, state)| *at >= 600.0 && *state >= SurgeState::Step).unwrap().0;
    assert!(seen <= 603.0, "seen at {seen}");
}

#[test]
fn time_to_full_is_what_is_left_over_growth() {
    let mut surge = Surge::default();
    for n in 0..80 {
        let look = Look { at: Duration::from_millis(250 * n), connections: (n / 2) as usize, limit: Some(100) };
        surge.observe(look);
    }
    assert!((surge.per_second() - 2.0).abs() < 0.3, "{}", surge.per_second());
    let seconds = surge.seconds_to_full().unwrap();
    assert!((seconds - 30.0).abs() < 6.0, "{seconds}");
}

#[test]
fn a_full_client_is_full_at_once_and_leaves_when_it_shrinks() {
    let states = run(Some(60), 900.0, |t| if t < 300.0 { 60 } else { 10 });
    assert_eq!(first(&states, SurgeState::Full), Some(0.0));
    assert_eq!(states.last().unwrap().1, SurgeState::Calm);
}

#[test]
fn slow_growth_is_a_creep_and_never_a_step() {
    // One connection each half minute, on top of twenty.
    let states = run(Some(100), 1800.0, |t| 20 + if t < 600.0 { 0 } else { ((t - 600.0) / 30.0) as usize });
    let after = |state| first(&states.iter().copied().filter(|(at, _)| *at > 600.0).collect::<Vec<_>>(), state);
    assert!(after(SurgeState::Creep).is_some());
    assert_eq!(after(SurgeState::Step), None);
}

#[test]
fn a_large_client_at_rest_is_calm_whatever_it_wobbles() {
    let states = run(Some(100), 3600.0, |t| 50 + ((t * 0.7).sin() * 4.0) as usize + ((t * 3.1).cos() * 3.0) as usize);
    let late: Vec<_> = states.iter().filter(|(at, _)| *at > 1200.0).filter(|(_, it)| *it != SurgeState::Calm).collect();
    assert!(late.is_empty(), "{:?}", late.first());
}

proptest! {
    #[test]
    fn constant_connections_end_calm(connections in 0_usize..70, limit in 100_usize..2000) {
        let states = run(Some(limit), 3600.0, |_| connections);
        prop_assert_eq!(states.last().unwrap().1, SurgeState::Calm);
    }

    #[test]
    fn a_fast_surge_is_seen_within_three_seconds(before in 0_usize..20, limit in 60_usize..400, share in 0.45_f64..0.95) {
        let more = share * (limit - before) as f64;
        let surge = |t: f64| before + if t < 400.0 { 0 } else { (more * (t - 400.0).min(1.0)) as usize };
        let states = run(Some(limit), 404.0, surge);
        let seen = states.iter().find(|(at, state)| *at >= 400.0 && *state >= SurgeState::Step);
        prop_assert!(seen.is_some_and(|(at, _)| *at <= 403.0), "{:?}", seen);
    }

    #[test]
    fn any_history_gives_finite_numbers(history in proptest::collection::vec((0_u64..20_000, 0_usize..5_000), 1..200),
                                        limit in proptest::option::of(0_usize..3_000)) {
        let mut surge = Surge::default();
        let mut at = Duration::ZERO;
        for (millis, connections) in history {
            at += Duration::from_millis(millis);
            let (state, _) = surge.observe(Look { at, connections, limit });
            prop_assert!(surge.fast().is_finite() && surge.slow().is_finite() && surge.per_second().is_finite());
            prop_assert!(surge.fast() >= 0.0 && surge.fast() <= 5_000.0);
            prop_assert!(surge.seconds_to_full().is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
            prop_assert_eq!(state == SurgeState::Full, limit.is_some_and(|limit| connections >= limit));
        }
    }
}
