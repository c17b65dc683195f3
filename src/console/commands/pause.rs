//! PAUSE: holds sessions back at their next quiet moment.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::control::PAUSE_DEFAULT;
use crate::units::{display_duration, parse_duration};

pub(super) const DEF: Def = Def {
    name: "PAUSE",
    syntax: "PAUSE [duration]",
    summary: "hold sessions back between transactions, for 10m or the time given, say 30s",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let time = match asked.args[..] {
        [] => PAUSE_DEFAULT,
        [time] => {
            let wrong = |error: crate::units::BadQuantity| Failure::new("22023", error.to_string());
            parse_duration(&time.to_ascii_lowercase()).map_err(wrong)?
        }
        _ => return Err(DEF.misused()),
    };
    if time.is_zero() {
        return Err(Failure::new("22023", "a pause takes time").hint("RESUME ends a pause."));
    }
    let time = asked.sources.control.pause(time, &asked.operator.name);
    Ok(Answer::done(format!("paused for {}; RESUME ends it", display_duration(time))))
}
