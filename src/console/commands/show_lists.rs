//! SHOW LISTS: how many there are of what, as PgBouncer's command of that name.

use std::collections::BTreeSet;

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, count, text};
use crate::console::pools::{Pools, Use};

pub(super) const DEF: Def = Def {
    name: "SHOW LISTS",
    syntax: "SHOW LISTS",
    summary: "how many databases, users, pools, clients and servers there are",
    role: Role::Read,
    columns: &[text("list"), count("items")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let pools = Pools::of(asked.sources);
    let distinct = |part: fn(&Use) -> &str| pools.all().map(part).collect::<BTreeSet<_>>().len() as u64;
    let sum = |part: fn(&Use) -> u64| pools.all().map(part).sum::<u64>();
    let lists = [
        ("databases", distinct(|pool| &pool.database)),
        ("users", distinct(|pool| &pool.user)),
        ("peers", 0),
        ("pools", pools.all().count() as u64),
        ("peer_pools", 0),
        ("free_clients", 0),
        ("used_clients", sum(|pool| pool.cl_active.saturating_add(pool.cl_waiting))),
        ("login_clients", sum(|pool| pool.cl_login)),
        ("free_servers", sum(|pool| pool.sv_idle)),
        ("used_servers", sum(|pool| pool.sv_active)),
        ("dns_names", 0),
        ("dns_zones", 0),
        ("dns_queries", 0),
        ("dns_pending", 0),
    ];
    Ok(Answer::rows(lists.into_iter().map(|(list, items)| vec![list.into(), items.into()])))
}
