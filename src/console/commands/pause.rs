//! PAUSE: holds clients back, and closes the servers of pools.

use std::time::Duration;

use super::{Asked, Def, database, holders};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Wait};
use crate::console::sources::Sources;
use crate::control::PAUSE_DEFAULT;
use crate::units::{display_duration, parse_duration};

pub(super) const DEF: Def = Def {
    name: "PAUSE",
    syntax: "PAUSE [db] [duration]",
    summary: "hold clients back between transactions, for 10m or the time given, say 30s; returns once the pools' servers are closed",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (name, time) = read(&asked.args)?;
    if time.is_zero() {
        return Err(Failure::new("22023", "a pause takes time").hint("RESUME ends a pause."));
    }
    let time = asked.sources.control.pause(name, time, &asked.operator.name);
    asked.sources.steer.pause();
    Ok(Answer::after(closed(asked, name, time)))
}

/// A word that is no time is a database; one in quotes always is.
fn read<'a>(args: &[&'a str]) -> Result<(Option<&'a str>, Duration), Failure> {
    let wrong = |error: crate::units::BadQuantity| Failure::new("22023", error.to_string());
    let time = |word: &str| parse_duration(&word.to_ascii_lowercase());
    match args {
        [] => Ok((None, PAUSE_DEFAULT)),
        [word] => match time(word) {
            Ok(time) => Ok((None, time)),
            // Whoever begins with a number means a time.
            Err(error) if word.starts_with(|first: char| first.is_ascii_digit()) => Err(wrong(error)),
            Err(_) => Ok((Some(database::name(word)), PAUSE_DEFAULT)),
        },
        [word, given] => Ok((Some(database::name(word)), time(given).map_err(wrong)?)),
        _ => Err(DEF.misused()),
    }
}

/// Until no pool of the database has a server. Whoever cancels that has not paused anything.
fn closed(asked: &Asked<'_>, name: Option<&str>, time: Duration) -> Wait {
    let (sources, name) = (asked.sources.clone(), name.map(str::to_owned));
    let (teller, whose) = (sources.clone(), name.clone());
    let given_up = give_up(sources.clone(), name.clone(), asked.operator.name.clone());
    let doubt = database::doubt(&sources, name.as_deref());
    let ended = move || {
        let name = name.as_deref();
        if database::pools(&sources, name).iter().all(|pool| pool.servers.is_empty()) {
            let (what, time) = (database::display(name), display_duration(time));
            let resume = database::resume(name);
            return Some(Ok(format!("{what} paused for {time}; {resume} ends it{doubt}")));
        }
        let holds = sources.control.pauses().contains_key(&name.map(str::to_owned));
        (!holds).then(|| Err(Failure::new("57014", "the pause ended before all servers were given back")))
    };
    let told =
        move || holders::told(&teller, whose.as_deref(), &database::pools(&teller, whose.as_deref()), Vec::new());
    Wait { ended: Box::new(ended), told: Box::new(told), given_up: Box::new(given_up) }
}

fn give_up(sources: Sources, name: Option<String>, who: String) -> impl Fn() {
    move || {
        sources.control.resume(name.as_deref(), &who);
        sources.steer.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_time_or_a_database() {
        let half = Duration::from_secs(30);
        assert_eq!(read(&[]), Ok((None, PAUSE_DEFAULT)));
        assert_eq!(read(&["30S"]), Ok((None, half)));
        assert_eq!(read(&["shop"]), Ok((Some("shop"), PAUSE_DEFAULT)));
        assert_eq!(read(&["\"30s\""]), Ok((Some("30s"), PAUSE_DEFAULT)));
        assert_eq!(read(&["30s", "30s"]), Ok((Some("30s"), half)));
        for wrong in [&["30"][..], &["30z"], &["shop", "soon"], &["shop", "30s", "40s"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
