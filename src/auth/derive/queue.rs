//! Orders in turns: one of each asker at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A bounded queue that is fair to its askers.
#[derive(Debug)]
pub(super) struct Queue<J> {
    lines: HashMap<Arc<str>, VecDeque<J>>,
    /// Who has something waiting, in the order of turns.
    turns: VecDeque<Arc<str>>,
    waiting: usize,
    max: usize,
    max_of_one: usize,
}

impl<J> Queue<J> {
    pub(super) fn new(max: usize, max_of_one: usize) -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0, max, max_of_one }
    }

    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a job at the end of its asker's line; gives it back where there is no room.
    pub(super) fn push(&mut self, who: &str, job: J) -> Result<(), J> {
        if self.waiting >= self.max || self.lines.get(who).is_some_and(|line| line.len() >= self.max_of_one) {
            return Err(job);
        }
        self.waiting = self.waiting.saturating_add(1);
        match self.lines.get_mut(who) {
            Some(line) => line.push_back(job),
            None => {
                let who: Arc<str> = who.into();
                self.turns.push_back(Arc::clone(&who));
                self.lines.insert(who, VecDeque::from([job]));
            }
        }
        Ok(())
    }

    /// The next job: the first of whoever has waited longest for a turn.
    pub(super) fn pop(&mut self) -> Option<J> {
        loop {
            let who = self.turns.pop_front()?;
            let Some(line) = self.lines.get_mut(&who) else { continue };
            let job = line.pop_front();
            if line.is_empty() {
                self.lines.remove(&who);
            } else {
                self.turns.push_back(who);
            }
            if job.is_some() {
                self.waiting = self.waiting.saturating_sub(1);
                return job;
            }
        }
    }

    /// Drops those of an asker's jobs that are no longer wanted, where its line is full.
    pub(super) fn forget(&mut self, who: &str, unwanted: impl Fn(&J) -> bool) {
        let Some(line) = self.lines.get_mut(who).filter(|line| line.len() >= self.max_of_one) else { return };
        let before = line.len();
        line.retain(|job| !unwanted(job));
        self.waiting = self.waiting.saturating_sub(before.saturating_sub(line.len()));
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.turns.clear();
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn() {
        let mut queue = Queue::new(5, 3);
        for job in ["a1", "a2", "a3", "a4", "b1", "c1", "c2"] {
            let taken = queue.push(&job[..1], job).is_ok();
            assert_eq!(taken, !["a4", "c2"].contains(&job), "{job}");
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
        assert_eq!((queue.len(), queue.lines.len(), queue.turns.len()), (0, 0, 0));
    }

    #[test]
    fn who_has_gone_holds_no_place() {
        let mut queue = Queue::new(5, 2);
        assert!(queue.push("a", 1).is_ok() && queue.push("a", 2).is_ok() && queue.push("a", 3).is_err());
        queue.forget("a", |_| true);
        assert_eq!(queue.len(), 0);
        assert!(queue.push("a", 4).is_ok());
        assert_eq!((queue.pop(), queue.pop(), queue.len()), (Some(4), None, 0));
    }
}
