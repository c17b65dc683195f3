//! SHUTDOWN: drains, or ends at once.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::control::Shutdown;

pub(super) const DEF: Def = Def {
    name: "SHUTDOWN",
    syntax: "SHUTDOWN [WAIT_FOR_CLIENTS | NOW]",
    summary: "let sessions end, then stop; WAIT_FOR_CLIENTS: once the last has left by itself; NOW: at once",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let how = match asked.args[..] {
        [] => Shutdown::Drain,
        // What PgBouncer calls a drain.
        [word] if word.eq_ignore_ascii_case("wait_for_servers") => Shutdown::Drain,
        [word] if word.eq_ignore_ascii_case("wait_for_clients") => Shutdown::Clients,
        [now] if now.eq_ignore_ascii_case("now") => Shutdown::Now,
        _ => return Err(DEF.misused()),
    };
    let changed = asked.sources.control.shut_down(how, &asked.operator.name);
    Ok(Answer::done(match (how, changed) {
        (_, false) => "already shutting down",
        (Shutdown::Now, true) => "stopping",
        (Shutdown::Clients, true) => "taking nobody in; stopping once the last client has left",
        (Shutdown::Drain | Shutdown::No, true) => "draining",
    }))
}
