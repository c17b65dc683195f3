//! The most frequent of any number of keys, in bounded memory: the Space-Saving scheme (Metwally and others, 2005).
//!
//! A new key takes the place of the least frequent one and inherits its count, so that a key that is frequent stays. What was
//! inherited is known, so what is told of a key is what was counted for it for certain, and all the rest is `other`.

/// Keys that are kept.
const KEYS_MAX: usize = 32;

/// The most frequent keys of one kind.
#[derive(Debug, Clone)]
pub(super) struct Top {
    key_bytes_max: usize,
    entries: Vec<Entry>,
    /// Hits of all keys.
    total: u64,
    /// The largest value of a key that is not kept any more.
    other_largest: Option<u64>,
    /// When the last key was dropped that had been hit then.
    other_last_ms: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    key: Box<[u8]>,
    /// At most this often: `inherited <= count`.
    count: u64,
    inherited: u64,
    largest: Option<u64>,
    last_ms: u64,
}

impl Entry {
    const fn certain(&self) -> u64 {
        self.count.saturating_sub(self.inherited)
    }
}

/// One key with its hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopRow {
    /// The key as it was given, cut: escape before showing. `other` stands for all that are not kept.
    pub key: Box<[u8]>,
    /// Its hits. A key that is hit rarely may have had more, which count as `other`.
    pub count: u64,
    /// The largest value of its hits.
    pub largest: Option<u64>,
    /// How long ago the last one was.
    pub last_seconds: u64,
}

impl Top {
    /// None yet; so many bytes are kept of each key, and keys that begin alike are one.
    pub(super) const fn new(key_bytes_max: usize) -> Self {
        Self { key_bytes_max, entries: Vec::new(), total: 0, other_largest: None, other_last_ms: 0 }
    }

    /// Counts one hit.
    pub(super) fn hit(&mut self, key: &[u8], value: Option<u64>, now_ms: u64) {
        let key = key.get(..self.key_bytes_max).unwrap_or(key);
        self.total = self.total.saturating_add(1);
        let entry = match self.entries.iter().position(|entry| *entry.key == *key) {
            Some(at) => self.entries.get_mut(at),
            None => self.admit(key),
        };
        if let Some(entry) = entry {
            entry.count = entry.count.saturating_add(1);
            entry.largest = entry.largest.max(value);
            entry.last_ms = now_ms;
        }
    }

    fn admit(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let mut entry = Entry { key: key.into(), count: 0, inherited: 0, largest: None, last_ms: 0 };
        if self.entries.len() < KEYS_MAX {
            self.entries.push(entry);
            return self.entries.last_mut();
        }
        let least = self.entries.iter_mut().min_by_key(|entry| (entry.count, entry.last_ms))?;
        entry.count = least.count;
        entry.inherited = least.count;
        self.other_largest = self.other_largest.max(least.largest);
        self.other_last_ms = self.other_last_ms.max(least.last_ms);
        *least = entry;
        Some(least)
    }

    /// The keys, most frequent first; then `other`, where there was any.
    pub(super) fn rows(&self, now_ms: u64) -> Vec<TopRow> {
        let seconds_since = |then_ms: u64| now_ms.saturating_sub(then_ms) / 1000;
        let row = |entry: &Entry| TopRow {
            key: entry.key.clone(),
            count: entry.certain(),
            largest: entry.largest,
            last_seconds: seconds_since(entry.last_ms),
        };
        let mut rows: Vec<_> = self.entries.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        let other = rows.iter().fold(self.total, |rest, row| rest.saturating_sub(row.count));
        if other > 0 {
            let last_seconds = seconds_since(self.other_last_ms);
            rows.push(TopRow { key: (*b"other").into(), count: other, largest: self.other_largest, last_seconds });
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_grows() {
        let mut top = Top::new(8);
        for n in 0..10_000u64 {
            top.hit(format!("k{n}").as_bytes(), Some(n), n);
        }
        let rows = top.rows(10_000);
        assert_eq!((rows.len(), top.entries.len()), (KEYS_MAX + 1, KEYS_MAX));
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10_000);
        assert_eq!(&*rows.last().unwrap().key, b"other");
    }

    #[test]
    fn a_frequent_key_is_found_in_a_flood_of_rare_ones() {
        let mut top = Top::new(64);
        for n in 0..20_000u64 {
            top.hit(format!("rare {n}").as_bytes(), None, n);
            if n % 10 == 0 {
                top.hit(b"frequent", Some(n), n);
            }
        }
        let first = &top.rows(20_000)[0];
        assert_eq!(&*first.key, b"frequent");
        assert!(first.count > 1_500, "{}", first.count);
        assert_eq!((first.largest, first.last_seconds), (Some(19_990), 0));
    }

    #[test]
    fn keys_are_cut() {
        let mut top = Top::new(4);
        top.hit(b"abcdef", None, 0);
        top.hit(b"abcdxx", Some(2), 3_000);
        let rows = top.rows(8_000);
        assert_eq!(rows, [TopRow { key: (*b"abcd").into(), count: 2, largest: Some(2), last_seconds: 5 }]);
    }
}
