//! Runs so many statements and ends: `instructions floodwall|off|copy SCENARIO COUNT`. `benches/instructions-gate` counts what that takes.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

mod pipes;

use pipes::traffic::Scenario;
use pipes::{Between, Worker};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    // Run by `cargo bench`, it has nothing to say.
    let [between, scenario, count] = &arguments[..] else { return };
    let between = match between.as_str() {
        "floodwall" => Between::Floodwall,
        "off" => Between::RulesOff,
        _ => Between::Copy,
    };
    let scenario = Scenario::ALL.into_iter().find(|known| known.name() == scenario).unwrap();
    Worker::start(between).run(scenario, count.parse().unwrap());
}
