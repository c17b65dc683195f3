//! What the kernel says of this process, read at scrape.

use std::fs;

use prometheus::proto::MetricFamily;

use super::family::value;
use super::table::{self, Def};

/// The process metrics that this system offers; fewer where `/proc` is not mounted.
pub(super) fn scrape() -> Vec<MetricFamily> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let found: [(&Def, Option<u64>); 4] = [
        (&table::RESIDENT_BYTES, field(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024))),
        (&table::THREADS, field(&status, "Threads:")),
        (&table::OPEN_FDS, open_fds()),
        (&table::MAX_FDS, field(&limits, "Max open files")),
    ];
    let families = found.into_iter().filter_map(|(def, number)| {
        let number = number?;
        Some(def.family(vec![value(def.kind, number as f64)]))
    });
    families.collect()
}

/// Counting the entries costs a system call for every few hundred descriptors: fine at scrape.
fn open_fds() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // One of them is the folder being read.
    u64::try_from(entries.count()).ok()?.checked_sub(1)
}

/// The first number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let status = "Name:\tfloodwall\nVmRSS:\t    5120 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmRSS:"), Some(5120));
        assert_eq!(field(status, "Threads:"), Some(3));
        assert_eq!(field(status, "VmSwap:"), None);
        assert_eq!(field("Max open files            unlimited            unlimited", "Max open files"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let families = scrape();
        let names: Vec<_> = families.iter().map(MetricFamily::name).collect();
        assert!(names.contains(&"process_resident_memory_bytes") && names.contains(&"process_open_fds"), "{names:?}");
    }
}
