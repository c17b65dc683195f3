//! How the kernel schedules a worker's thread.

use std::io;

use rustix::process::getpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};

const OTHER: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
const BATCH: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);

/// A scheduling policy, sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// SCHED_OTHER, the usual one: who is woken takes the core at once from whoever has had more of it.
    #[default]
    Other,
    /// SCHED_BATCH: who is woken waits until the core is given away, at the latest with the next tick of the scheduler.
    Batch,
}

impl Policy {
    /// Is the calling thread under SCHED_OTHER?
    pub(super) fn is_usual() -> bool {
        thread_schedule_policy().is_ok_and(|policy| policy == OTHER)
    }

    /// Puts the calling thread under it. Its nice value stays what it is.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(super) fn take(self) -> io::Result<()> {
        let policy = match self {
            Self::Other => OTHER,
            Self::Batch => BATCH,
        };
        // The library sets the nice value along with the policy.
        let nice = priority_of(getpriority_process(None)?, policy)
            .ok_or_else(|| io::Error::other("the thread's nice value is none that can be set"))?;
        set_thread_priority_and_policy(thread_native_id(), nice, policy)
            .map_err(|error| io::Error::other(format!("{error:?}")))
    }
}

/// What the library calls a nice value: one of a hundred numbers, of which several stand for the same.
fn priority_of(nice: i32, policy: ThreadSchedulePolicy) -> Option<ThreadPriority> {
    let all = (0..=u8::MAX).map_while(|number| ThreadPriorityValue::try_from(number).ok());
    all.map(ThreadPriority::Crossplatform).find(|priority| priority.to_posix(policy).is_ok_and(|made| made == nice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::setpriority_process;
    use std::{fs, thread};

    /// The nice value and the policy that the kernel tells of this thread: fields 19 and 41 of proc_pid_stat(5).
    fn told() -> (i32, i32) {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[16].parse().unwrap(), fields[38].parse().unwrap())
    }

    #[test]
    fn a_thread_changes_its_policy_and_keeps_its_nice_value() {
        for nice in [0, 1, 7, 19] {
            let body = move || {
                setpriority_process(None, nice).unwrap();
                for (policy, number) in [(Policy::Batch, 3), (Policy::Batch, 3), (Policy::Other, 0), (Policy::Other, 0)]
                {
                    policy.take().unwrap();
                    assert_eq!(told(), (nice, number), "{policy:?}");
                    assert_eq!(Policy::is_usual(), policy == Policy::Other);
                }
            };
            thread::spawn(body).join().unwrap();
        }
    }

    #[test]
    fn each_nice_value_has_a_name() {
        for nice in -20..=19 {
            assert_eq!(priority_of(nice, BATCH).unwrap().to_posix(BATCH).unwrap(), nice);
        }
        assert_eq!(priority_of(20, BATCH), None);
    }
}
