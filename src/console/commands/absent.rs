//! PgBouncer's commands that there are none of here: an error that says what does the same.

use crate::console::answer::Failure;

/// Words that a command begins with, in upper case, and what to do instead.
const ABSENT: &[(&str, &str)] = &[
    (
        "SHOW FDS",
        "SHOW CLIENTS and SHOW SERVERS list connections; /metrics has process_open_fds. A new process takes over by reuse_port.",
    ),
    ("SHOW MEM", "/metrics has the memory in use."),
    ("SHOW DNS_HOSTS", "Names of servers are resolved at each dial, so none is kept. SHOW NODES lists the servers."),
    ("SHOW DNS_ZONES", "Names of servers are resolved at each dial, so none is kept. SHOW NODES lists the servers."),
    (
        "SHOW PEERS",
        "Processes with reuse_port and one state_dir pass cancel requests on to each other; nothing is declared.",
    ),
    (
        "SHOW PEER_POOLS",
        "Processes with reuse_port and one state_dir pass cancel requests on to each other; nothing is declared.",
    ),
    ("SUSPEND", "PAUSE holds clients back between their transactions. A new process takes over by reuse_port."),
];

/// Why a command of PgBouncer's is not run; `None`: there is no such command, or it is run.
pub(super) fn refusal(words: &[&str]) -> Option<Failure> {
    let is_it = |name: &str| {
        let mut given = words.iter();
        name.split(' ').all(|word| given.next().is_some_and(|given| given.eq_ignore_ascii_case(word)))
    };
    let (name, advice) = ABSENT.iter().find(|(name, _)| is_it(name))?;
    Some(
        Failure::new("0A000", format!("{name} is a command of PgBouncer's that Floodwall does not have")).hint(*advice),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbouncer_has_and_we_have_not_is_told_with_what_does_the_same() {
        for words in [&["show", "fds"][..], &["SHOW", "Mem"], &["suspend"], &["SHOW", "peers"]] {
            let failure = refusal(words).unwrap();
            assert_eq!(failure.code, "0A000");
            assert!(failure.hint.is_some(), "{words:?}");
        }
        for words in [&[][..], &["SHOW"], &["SHOW", "CLIENTS"], &["SHUTDOWN"], &["SHUTDOWN", "NOW"], &["SUSPENDED"]] {
            assert_eq!(refusal(words), None, "{words:?}");
        }
    }
}
