//! SHOW CAPS: what is in use of each cap.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, count, text};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW CAPS",
    syntax: "SHOW CAPS",
    summary: "connection caps: in use, limit, waiting, refused",
    role: Role::Read,
    columns: &[
        text("cap"),
        text("scope"),
        count("current"),
        count("limit"),
        count("waiting"),
        count("refused_total"),
        text("listener"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let rows = (asked.sources.caps)().into_iter().map(|cap| {
        vec![
            cap.cap.into(),
            display_bytes(cap.scope.as_bytes()).into(),
            cap.current.into(),
            cap.limit.into(),
            cap.waiting.into(),
            cap.refused_total.into(),
            cap.listener.into(),
        ]
    });
    Ok(Answer::rows(rows))
}
