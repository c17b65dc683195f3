//! The commands, one file each, and the registry: one line each.

mod absent;
mod courtesy;
mod database;
mod disable;
mod help;
mod holders;
mod kill;
mod pause;
mod reconnect;
mod reload;
mod reset_report;
mod resume;
mod set;
mod show_caps;
mod show_clients;
mod show_config;
mod show_databases;
mod show_lists;
mod show_nodes;
mod show_pins;
mod show_pools;
mod show_report;
mod show_rules;
mod show_servers;
mod show_sockets;
mod show_state;
mod show_statements;
mod show_stats;
mod show_surges;
mod show_totals;
mod show_users;
mod show_version;
mod shutdown;
mod wait_close;

use std::sync::Arc;

use super::accounts::Operator;
use super::answer::{Answer, Column, Failure};
use super::sources::Sources;
use crate::config::Role;
use crate::roster::Entry;
use crate::units::display_bytes;

/// Every command that HELP lists, in its order.
pub(super) const ALL: &[Def] = &[
    show_clients::DEF,
    show_servers::DEF,
    show_sockets::DEF,
    show_sockets::ACTIVE,
    show_pools::DEF,
    show_stats::DEF,
    show_stats::TOTALS,
    show_stats::AVERAGES,
    show_totals::DEF,
    show_lists::DEF,
    show_databases::DEF,
    show_users::DEF,
    show_nodes::DEF,
    show_pins::DEF,
    show_caps::DEF,
    show_surges::DEF,
    show_rules::DEF,
    show_report::DEF,
    show_report::OF_RULE,
    show_statements::DEF,
    show_config::DEF,
    show_state::DEF,
    show_version::DEF,
    help::SHOW_HELP,
    help::DEF,
    kill::DEF,
    kill::KILL_CLIENT,
    kill::DATABASE,
    reload::DEF,
    reset_report::DEF,
    pause::DEF,
    resume::DEF,
    reconnect::DEF,
    wait_close::DEF,
    disable::DEF,
    disable::ENABLE,
    shutdown::DEF,
];

/// One command.
#[derive(Debug)]
pub(super) struct Def {
    /// Its words, in upper case; `*` is any word, and an argument.
    pub(super) name: &'static str,
    /// How to write it.
    pub(super) syntax: &'static str,
    /// One line for HELP.
    pub(super) summary: &'static str,
    /// Who may run it. An admin may run all.
    pub(super) role: Role,
    /// Columns of the answer; empty where there is none.
    pub(super) columns: &'static [Column],
    /// Does it.
    pub(super) run: fn(&Asked<'_>) -> Result<Answer, Failure>,
}

/// What a running command has at hand.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The words after the name, as written.
    pub(super) args: Vec<&'a str>,
    /// All that may be seen or done.
    pub(super) sources: &'a Sources,
    /// Who asks.
    pub(super) operator: &'a Operator,
}

/// A command with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Call {
    def: &'static Def,
    args: Arc<[String]>,
}

/// Finds the command of a text. Letter case does not matter.
pub(super) fn parse(text: &str) -> Result<Call, Failure> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(refusal) = absent::refusal(&words) {
        return Err(refusal);
    }
    let known = ALL.iter().chain(courtesy::ALL).chain([&set::DEF]);
    let found = known.filter(|def| matches(def, &words)).max_by_key(|def| def.name.len());
    let Some(def) = found else { return Err(unknown(text, &words)) };
    let args = words.iter().skip(def.name.trim_end_matches(" *").split(' ').count()).map(ToString::to_string).collect();
    Ok(Call { def, args })
}

fn matches(def: &Def, words: &[&str]) -> bool {
    let mut given = words.iter();
    let fits = |word: &str, given: &str| word == "*" || given.eq_ignore_ascii_case(word);
    def.name.split(' ').all(|word| given.next().is_some_and(|given| fits(word, given)))
}

fn unknown(text: &str, words: &[&str]) -> Failure {
    let likeness = |def: &Def| {
        let given: Vec<_> =
            words.iter().take(def.name.split(' ').count()).map(|word| word.to_ascii_uppercase()).collect();
        strsim::normalized_damerau_levenshtein(&given.join(" "), def.name)
    };
    // Long texts are SQL, and comparing them costs their square.
    let short = text.len() <= 100;
    let best = ALL
        .iter()
        .filter(|def| short && !def.name.ends_with('*'))
        .map(|def| (likeness(def), def.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let shown: String = display_bytes(text.as_bytes()).chars().take(60).collect();
    let failure = Failure::new("42601", format!("unknown console command: {shown}"));
    match best {
        Some((likeness, name)) if likeness >= 0.6 => {
            failure.hint(format!("Did you mean {name}? SHOW HELP lists all commands."))
        }
        _ => failure.hint("The console takes commands, not SQL. SHOW HELP lists them."),
    }
}

impl Call {
    /// Does it, where the operator may.
    pub(super) fn run(&self, sources: &Sources, operator: &Operator) -> Result<Answer, Failure> {
        if self.def.role == Role::Admin && operator.role != Role::Admin {
            let message = format!("permission denied: {} needs the role admin", self.def.name);
            return Err(Failure::new("42501", message));
        }
        (self.def.run)(&Asked { args: self.args.iter().map(String::as_str).collect(), sources, operator })
    }

    /// Columns of its answer.
    pub(super) const fn columns(&self) -> &'static [Column] {
        self.def.columns
    }

    /// What the client is told at its end.
    pub(super) fn tag(&self, rows: usize) -> String {
        match self.def.name.split(' ').next() {
            Some("SELECT") => format!("SELECT {rows}"),
            Some("SHOW" | "HELP") => "SHOW".to_owned(),
            _ => self.def.name.to_owned(),
        }
    }
}

/// The server process of a session; `None` until the server has told it.
fn pid(entry: &Entry) -> Option<i32> {
    Some(entry.server_pid()).filter(|pid| *pid != 0)
}

impl Asked<'_> {
    /// For commands that take no arguments.
    pub(super) fn nothing_more(&self, def: &Def) -> Result<(), Failure> {
        if self.args.is_empty() { Ok(()) } else { Err(def.misused()) }
    }
}

impl Def {
    /// Arguments that it does not take.
    pub(super) fn misused(&self) -> Failure {
        Failure::new("42601", format!("wrong arguments for {}", self.name)).hint(format!("Write {}", self.syntax))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &'static str {
        parse(text).unwrap().def.name
    }

    #[test]
    fn names_are_upper_case_and_unique_and_documented() {
        let mut seen = std::collections::HashSet::new();
        for def in ALL.iter().chain(courtesy::ALL) {
            assert_eq!(def.name, def.name.to_ascii_uppercase());
            assert!(seen.insert(def.name), "{} twice", def.name);
            assert!(def.syntax.starts_with(def.name.trim_end_matches('*')) && !def.summary.is_empty(), "{}", def.name);
        }
    }

    #[test]
    fn case_and_space_do_not_matter() {
        assert_eq!(name("show clients"), "SHOW CLIENTS");
        assert_eq!(name("  ShOw \n\t Help "), "SHOW HELP");
        assert_eq!(name("kill client 7"), "KILL CLIENT");
        assert_eq!(name("show report"), "SHOW REPORT");
        assert_eq!(&*parse("Show Report bulk_write").unwrap().args, ["bulk_write"]);
        assert_eq!(&*parse("show statements by TIME 5").unwrap().args, ["by", "TIME", "5"]);
    }

    #[test]
    fn a_slip_is_met_with_a_proposal() {
        for (text, meant) in [("SHOW CLENTS", "SHOW CLIENTS"), ("paus", "PAUSE"), ("KIL CLIENT 7", "KILL CLIENT")] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, "42601");
            assert!(failure.hint.as_ref().unwrap().contains(&format!("Did you mean {meant}?")), "{failure:?}");
        }
    }

    #[test]
    fn sql_is_met_with_advice() {
        let long = format!("SELECT {}", "x".repeat(100_000));
        for text in ["SELECT * FROM pg_class", &long, "\u{1b}[31m"] {
            let failure = parse(text).unwrap_err();
            assert!(failure.hint.unwrap().contains("SHOW HELP"));
            assert!(failure.message.len() < 200 && !failure.message.contains('\u{1b}'));
        }
    }
}
