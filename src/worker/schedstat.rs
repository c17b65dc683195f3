//! What the kernel counts of a thread's turns on a core.

use std::fs::File;
use std::io;
use std::ops::Sub;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

/// A thread's own file, which other threads may read: `/proc/[pid]/task/[tid]/schedstat`, in the kernel's
/// Documentation/scheduler/sched-stats.rst.
#[derive(Debug)]
pub(super) struct Schedstat(File);

/// What has come together so far, or between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Turns {
    /// Time on a core.
    pub(super) ran: Duration,
    /// Time that the thread could have run and did not.
    pub(super) waited: Duration,
    /// Turns on a core.
    pub(super) number: u32,
}

impl Schedstat {
    /// That of the calling thread.
    ///
    /// # Errors
    /// The system does not count, or hides `/proc`.
    pub(super) fn of_this_thread() -> io::Result<Self> {
        File::open("/proc/thread-self/schedstat").map(Self)
    }

    /// The present figures; `None` once the thread is gone, or where they can't be read.
    pub(super) fn read(&self) -> Option<Turns> {
        let mut text = [0; 80];
        let read = self.0.read_at(&mut text, 0).ok()?;
        Turns::parse(str::from_utf8(text.get(..read)?).ok()?)
    }
}

impl Turns {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace().map_while(|field| field.parse::<u64>().ok());
        let (ran, waited, number) = (fields.next()?, fields.next()?, fields.next()?);
        // The number wraps, as the difference of two of them does.
        let number = (number & u64::from(u32::MAX)) as u32;
        Some(Self { ran: Duration::from_nanos(ran), waited: Duration::from_nanos(waited), number })
    }

    /// How long a turn was waited for on average; nothing where there was none.
    pub(super) fn mean_wait(self) -> Duration {
        self.waited.checked_div(self.number).unwrap_or_default()
    }
}

impl Sub for Turns {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            ran: self.ran.saturating_sub(before.ran),
            waited: self.waited.saturating_sub(before.waited),
            number: self.number.wrapping_sub(before.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_subtracted() {
        let before = Turns::parse("1000 500 4294967295\n").unwrap();
        let after = Turns::parse("4000 900 4294967297\n").unwrap();
        let between = after - before;
        assert_eq!((between.ran.as_nanos(), between.waited.as_nanos(), between.number), (3000, 400, 2));
        assert_eq!(between.mean_wait(), Duration::from_nanos(200));
        assert_eq!(Turns::default().mean_wait(), Duration::ZERO);
        for broken in ["", "1 2", "1 x 3"] {
            assert_eq!(Turns::parse(broken), None);
        }
    }

    #[test]
    fn another_thread_reads_what_this_one_has_used() {
        let stat = Schedstat::of_this_thread().unwrap();
        let before = stat.read().unwrap();
        let mut sum = 0_u64;
        while stat.read().unwrap().ran < before.ran + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let used = std::thread::spawn(move || stat.read().unwrap()).join().unwrap() - before;
        assert!(used.ran >= Duration::from_millis(5), "{used:?} {sum}");
    }
}
