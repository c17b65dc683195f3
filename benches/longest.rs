//! The longest time for which one statement keeps a worker from its other sessions: `longest [MEBIBYTES]`.
//!
//! A session stands between a client and a server on in-memory pipes. Each time that its task runs, the time of the thread is taken
//! before and after, so that neither the two ends nor other programs count. Each statement is sent several times and its best
//! run counts: what one run has more than another is the machine's. Exits with 1 where a statement takes longer than a
//! millisecond.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]

mod pipes;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pipes::giant::{self, Giant, Sent};
use pipes::{Between, Worker};

/// What a statement may take of a worker at once.
const LIMIT: Duration = Duration::from_millis(1);
/// Runs of which the best counts.
const RUNS: usize = 5;
/// Texts around the borders between ways to read them.
const SIZES: [usize; 12] = [
    4 << 10,
    8 << 10,
    16 << 10,
    32 << 10,
    63 << 10,
    66 << 10,
    130 << 10,
    300 << 10,
    1 << 20,
    4 << 20,
    15 << 20,
    18 << 20,
];

fn main() {
    // `cargo bench` runs every bench; this one takes a minute, and its figure stands for itself.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [largest] = &arguments[..] else { return };
    let largest = largest.parse::<usize>().unwrap() << 20;
    let mut worst = Duration::ZERO;
    println!("{:<44} {:>9} {:>12} {:>10}", "statement", "KiB", "as", "longest us");
    for giant in Giant::all() {
        for sent in Sent::ALL {
            for size in SIZES.into_iter().chain([largest - 64]).filter(|&size| size < largest) {
                let longest = (0..RUNS).map(|_| once(&giant, sent, size)).min().unwrap();
                if longest * 2 > LIMIT || size + 64 == largest {
                    println!("{:<44} {:>9} {:>12} {:>10}", giant.name, size >> 10, sent.name(), longest.as_micros());
                }
                worst = worst.max(longest);
            }
        }
    }
    println!("longest: {} us, limit {} us", worst.as_micros(), LIMIT.as_micros());
    if worst > LIMIT {
        std::process::exit(1);
    }
}

/// The longest turn of a session that is sent this statement.
fn once(giant: &Giant, sent: Sent, size: usize) -> Duration {
    let worker = Worker::start(Between::Floodwall);
    let longest = Rc::new(Cell::new(Duration::ZERO));
    worker.timed(&longest, |client, server| giant::ends(client, server, giant, sent, size));
    longest.get()
}
