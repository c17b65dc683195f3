//! SHOW USERS: who is connected, in PgBouncer's columns.

use std::collections::BTreeMap;

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Value, count, text};
use crate::console::bounds::Bounds;
use crate::console::pools::Pools;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW USERS",
    syntax: "SHOW USERS",
    summary: "the users that are in use, with their clients and servers; SHOW CAPS has what bounds them",
    role: Role::Read,
    columns: &[
        text("name"),
        count("pool_size"),
        count("reserve_pool_size"),
        text("pool_mode"),
        count("max_user_connections"),
        count("current_connections"),
        count("max_user_client_connections"),
        count("current_client_connections"),
    ],
    run,
};

#[derive(Debug, Default)]
struct User {
    servers_most: Bounds,
    servers: u64,
    clients: u64,
}

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let pools = Pools::of(asked.sources);
    let mut users = BTreeMap::<&str, User>::new();
    for pool in pools.all() {
        let user = users.entry(&pool.user).or_default();
        user.servers = user.servers.saturating_add(pool.servers());
        user.clients = user.clients.saturating_add(pool.cl_active).saturating_add(pool.cl_waiting);
        for listener in &pool.listeners {
            let most = (asked.sources.parts_most)(listener, &pool.user, &pool.database).role;
            user.servers_most.note(listener, most);
        }
    }
    let row = |(user, User { servers_most, servers, clients }): (&str, User)| {
        let name = display_bytes(user.as_bytes());
        // A user has no sizes and no mode of its own, and 0 is PgBouncer's word for no bound.
        let most = (asked.sources.clients_most)(user).unwrap_or(0);
        let [size, reserve, mode] = [Value::Null, Value::Null, Value::Null];
        let servers_most = servers_most.sum().unwrap_or(0);
        vec![name.into(), size, reserve, mode, servers_most.into(), servers.into(), most.into(), clients.into()]
    };
    Ok(Answer::rows(users.into_iter().map(row)))
}
