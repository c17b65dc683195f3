//! Which of a worker's idle servers is taken next: the one used last, unless an earlier one suits better.
//!
//! Sessions differ in their settings, and a server that has those of another session costs a round trip before it is of use. So whoever
//! comes gets one that suits at once, where there is one. Where there is none, one of others has to be changed, and the one that
//! most likely nobody misses is the one idle longest; but going round all of them would keep servers that nobody needs from becoming
//! old. So a pool goes round as many as were at work lately, and one more: with much to do, sessions find their own server again,
//! and with little to do few servers are kept warm.

use std::time::Duration;

use super::register::TICK;
use crate::clock::Instant;

/// Servers that are looked at: what is further down is idle, or small change beside what so large a pool does.
const SIGHT: usize = 64;
/// One that is idle for no longer was at work lately. The times are those of ticks.
const LATELY: Duration = TICK.saturating_mul(2);

/// The idle servers of a worker, in the order in which they were given back.
#[derive(Debug)]
pub(super) struct Idle<S> {
    pub(super) server: Box<S>,
    pub(super) since: Instant,
}

/// Takes out the server that whoever asks for one that `suits` gets at `now`; `None`: there is none.
pub(super) fn choose<S>(idle: &mut Vec<Idle<S>>, now: Instant, suits: impl Fn(&S) -> bool) -> Option<Box<S>> {
    let mut chosen = None;
    let mut is_settled = false;
    for (at, one) in idle.iter().enumerate().rev().take(SIGHT) {
        if suits(&one.server) {
            chosen = Some(at);
            break;
        }
        if !is_settled {
            chosen = Some(at);
            is_settled = one.since + LATELY < now;
        }
    }
    chosen.map(|at| idle.remove(at).server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Servers that were given back so many seconds ago.
    fn stack(ages: &[(char, u64)]) -> (Vec<Idle<char>>, Instant) {
        let now = clock::now() + Duration::from_secs(3600);
        let idle = |&(name, age)| Idle { server: Box::new(name), since: now - Duration::from_secs(age) };
        (ages.iter().map(idle).collect(), now)
    }

    fn taken(ages: &[(char, u64)], suits: impl Fn(char) -> bool) -> Option<char> {
        let (mut idle, now) = stack(ages);
        let chosen = choose(&mut idle, now, |&name| suits(name)).map(|name| *name);
        let left: String = idle.iter().map(|one| *one.server).collect();
        let others: String = ages.iter().map(|&(name, _)| name).filter(|&name| Some(name) != chosen).collect();
        assert_eq!(left, others, "the others keep their order");
        chosen
    }

    #[test]
    fn who_has_no_wish_gets_the_one_used_last() {
        assert_eq!(taken(&[('a', 9), ('b', 5), ('c', 0)], |_| true), Some('c'));
        assert_eq!(taken(&[], |_| true), None);
    }

    #[test]
    fn one_that_suits_is_found_wherever_it_is() {
        assert_eq!(taken(&[('a', 500), ('b', 5), ('c', 0)], |name| name == 'a'), Some('a'));
        assert_eq!(taken(&[('a', 500), ('b', 5), ('c', 0)], |name| name != 'c'), Some('b'));
    }

    #[test]
    fn where_none_suits_the_one_that_is_missed_least_of_those_at_work_or_one_more_is_changed() {
        let nobodys = |_| false;
        // Hardly anything to do: always the same one.
        assert_eq!(taken(&[('a', 300), ('b', 60), ('c', 20)], nobodys), Some('c'));
        // One is at work: there is a second one for the second session.
        assert_eq!(taken(&[('a', 300), ('b', 60), ('c', 1)], nobodys), Some('b'));
        assert_eq!(taken(&[('a', 300), ('b', 1), ('c', 0)], nobodys), Some('a'));
        assert_eq!(taken(&[('a', 1), ('b', 1), ('c', 0)], nobodys), Some('a'));
    }

    #[test]
    fn as_many_sessions_as_servers_end_up_with_a_server_each() {
        let (mut idle, now) = stack(&[('-', 300), ('-', 300), ('-', 300), ('-', 300)]);
        let mut changed = 0;
        for round in 0..10 {
            for session in ['a', 'b', 'c', 'd'] {
                let mut server = choose(&mut idle, now, |&name| name == session).unwrap();
                if *server != session {
                    *server = session;
                    changed += 1;
                    assert_eq!(round, 0, "{session} was given another server though there are enough");
                }
                idle.push(Idle { server, since: now });
            }
        }
        assert_eq!(changed, 4);
    }

    #[test]
    fn a_large_pool_is_not_searched_to_its_end() {
        let ages: Vec<(char, u64)> = (0..1000).map(|at| (if at == 0 { 'a' } else { '-' }, 0)).collect();
        let (mut idle, now) = stack(&ages);
        let looked_at = std::cell::Cell::new(0);
        let suits = |&name: &char| {
            looked_at.set(looked_at.get() + 1);
            name == 'a'
        };
        assert_eq!(choose(&mut idle, now, suits), Some(Box::new('-')));
        assert_eq!(looked_at.get(), SIGHT);
    }
}
