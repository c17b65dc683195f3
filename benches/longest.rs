//! The longest time for which one statement keeps a worker from its other sessions: `longest [MEBIBYTES]`.
//!
//! A session stands between a client and a server on in-memory pipes. Each time that its task runs, the time of the thread is taken
//! before and after, so that neither the two ends nor other programs count. What takes long is sent several times and its best
//! run counts: what one run has more than another is the machine's. Statements of the largest size are sent once. Exits with 1
//! where one takes longer than a millisecond.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]

mod pipes;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pipes::flood::{self, Flood};
use pipes::giant::{self, Giant, Sent};
use pipes::{Between, Worker};
use tokio::io::DuplexStream;

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
    let mut worst = Worst::default();
    println!("{:<44} {:>9} {:>12} {:>10}", "statement", "KiB", "as", "longest us");
    for giant in Giant::all() {
        for sent in Sent::ALL {
            for size in SIZES.into_iter().filter(|&size| size < largest) {
                worst.note((giant.name, sent.name(), size), || {
                    once(|client, server| giant::ends(client, server, &giant, sent, size))
                });
            }
        }
        let size = largest - 64;
        let longest = once(|client, server| giant::ends(client, server, &giant, Sent::Simple, size));
        worst.note((giant.name, Sent::Simple.name(), size), || longest);
    }
    for flood in Flood::all() {
        let size = flood.bytes();
        worst.note((flood.name, "messages", size), || once(|client, server| flood::ends(client, server, &flood)));
    }
    println!("longest: {} us, limit {} us", worst.0.as_micros(), LIMIT.as_micros());
    if worst.0 > LIMIT {
        std::process::exit(1);
    }
}

/// The longest turn of all.
#[derive(Default)]
struct Worst(Duration);

impl Worst {
    /// Takes the best of a few runs, or the first that is far from the limit.
    fn note(&mut self, (name, sent, size): (&str, &str, usize), run: impl Fn() -> Duration) {
        let mut longest = run();
        for _ in 1..RUNS {
            if longest * 2 > LIMIT {
                longest = longest.min(run());
            }
        }
        if longest * 2 > LIMIT || longest > self.0 {
            println!("{name:<44} {:>9} {sent:>12} {:>10}", size >> 10, longest.as_micros());
        }
        self.0 = self.0.max(longest);
    }
}

/// The longest turn of a session between these two ends.
fn once<E: Future<Output = ()>>(ends: impl FnOnce(DuplexStream, DuplexStream) -> E) -> Duration {
    let worker = Worker::start(Between::Floodwall);
    let longest = Rc::new(Cell::new(Duration::ZERO));
    worker.timed(&longest, ends);
    longest.get()
}
