//! RESUME: ends a pause.

use super::{Asked, Def, database};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};

pub(super) const DEF: Def = Def {
    name: "RESUME",
    syntax: "RESUME [db]",
    summary: "end what PAUSE or KILL began; without a database the pause of all, those of single ones hold on",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = database::optional(asked, &DEF)?;
    let control = &asked.sources.control;
    let was_paused = control.resume(name, &asked.operator.name);
    asked.sources.steer.pause();
    let left: Vec<_> = control.pauses().into_keys().map(|name| database::display(name.as_deref())).collect();
    let told = if was_paused { "resumed" } else { "nothing was paused" };
    match (was_paused, left.is_empty()) {
        (_, true) => Ok(Answer::done(told)),
        (true, false) => Ok(Answer::done(format!("resumed; still paused: {}", left.join(", ")))),
        (false, false) => {
            let what = match name {
                Some(name) => format!("database {name} has no pause of its own"),
                None => "there is no pause of all databases".to_owned(),
            };
            Err(Failure::new("55000", what).hint(format!("Paused: {}.", left.join(", "))))
        }
    }
}
