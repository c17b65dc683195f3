//! Server connections of a database and of a role.

use super::*;
use crate::config::{PoolMatch, PoolRule};
use crate::guard::caps;

/// Two of each database, three of each role; of `blog` any number.
fn bounded(config: &mut Config) {
    let matches = PoolMatch { database: "blog".into(), ..PoolMatch::default() };
    let listener = &mut config.listeners[0];
    listener.pool.max_db_connections = Some(2);
    listener.pool.max_user_connections = Some(3);
    listener.pools = vec![PoolRule { matches, max_db_connections: Some(0), ..PoolRule::default() }];
}

fn rows(admission: &Admission) -> Vec<(&'static str, String, usize, Option<usize>, usize)> {
    let rows = admission.cap_rows().into_iter();
    let of_parts = rows.filter(|row| caps::OF_SERVERS[..2].contains(&row.rule));
    of_parts.map(|row| (row.rule, row.scope, row.current, row.limit, row.waiting)).collect()
}

#[tokio::test(start_paused = true)]
async fn server_connections_of_a_database_and_of_a_role_are_capped() {
    let admission = admission(|config| {
        bounded(config);
        config.caps.over = Over::Refuse;
    });
    let none = |kind: &str| (kind.to_owned(), 0, None, 0);
    let [(db, none_of_db), (user, none_of_user)] =
        [("max_db_connections", none("database")), ("max_user_connections", none("user"))];
    let told = |rule, (scope, current, limit, waiting)| (rule, scope, current, limit, waiting);
    assert_eq!(rows(&admission), [told(db, none_of_db), told(user, none_of_user)]);
    let take = async |role: &str, database: &str| admission.server(&party(role, database), within(0)).await;
    let denied = |result: Result<ServerPermit, Denied>| {
        let denied = result.unwrap_err();
        (denied.rule, denied.scope, denied.current, denied.limit)
    };
    let one = take("app", "shop").await.unwrap();
    let _other = take("web", "shop").await.unwrap();
    assert_eq!(denied(take("cron", "shop").await), (db, "database".to_owned(), 2, 2));
    // Neither does a login find one, though the listener has room.
    assert_eq!(admission.claim(&who("cron"), within(0)).await.unwrap_err().rule, db);
    assert_eq!(admission.server_hindrance(&party("cron", "shop")), Some(caps::Over { rule: db, current: 2, limit: 2 }));
    let _more = [take("app", "blog").await.unwrap(), take("app", "blog").await.unwrap()];
    assert_eq!(denied(take("app", "blog").await), (user, "user".to_owned(), 3, 3));
    let _unbounded = [take("web", "blog").await.unwrap(), take("cron", "blog").await.unwrap()];
    assert_eq!(
        rows(&admission),
        [told(db, ("database shop".to_owned(), 2, Some(2), 0)), told(user, ("user app".to_owned(), 3, Some(3), 0)),]
    );
    drop(one);
    assert_eq!(admission.server_hindrance(&party("app", "blog")), None);
    let _again = [take("cron", "shop").await.unwrap(), take("app", "blog").await.unwrap()];
    // A name that the server would cut is no other name.
    let long = |more: &str| format!("{}{more}", "d".repeat(63));
    let _cut = [take("x", &long("a")).await.unwrap(), take("y", &long("b")).await.unwrap()];
    assert_eq!(denied(take("z", &long("c")).await).0, db);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_one_database_keeps_nobody_else_waiting() {
    let admission = admission(bounded);
    let mut held = vec![];
    for _ in 0..2 {
        held.push(admission.server(&party("app", "shop"), within(0)).await.unwrap());
    }
    let waiting: Vec<_> = ["first", "second"]
        .map(|role| {
            let admission = Arc::clone(&admission);
            tokio::spawn(
                async move { admission.server(&party(role, "shop"), within(5_000)).await.map(|it| (role, it)) },
            )
        })
        .into();
    settle().await;
    assert_eq!(rows(&admission)[0], ("max_db_connections", "database shop".to_owned(), 2, Some(2), 2));
    // Somebody of another database comes in past them, at the server and with a login.
    drop(admission.server(&party("app", "blog"), within(0)).await.unwrap());
    let elsewhere = Identity { database: "blog".into(), ..who("app") };
    drop(admission.claim(&elsewhere, within(0)).await.unwrap());
    // What the waiters get goes round in the order of arrival.
    let mut served = Vec::new();
    for task in waiting {
        held.pop();
        let (role, permit) = task.await.unwrap().unwrap();
        served.push(role);
        held.push(permit);
    }
    assert_eq!(served, ["first", "second"]);
    held.clear();
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn a_lower_cap_tells_what_is_too_much_and_a_higher_one_lets_in_who_waits() {
    let mut config = config();
    bounded(&mut config);
    let admission = Admission::new(&config, "main");
    let mut held = Vec::new();
    for (role, database) in [("app", "shop"), ("web", "shop"), ("app", "blog"), ("app", "blog")] {
        held.push(admission.server(&party(role, database), within(0)).await.unwrap());
    }
    assert_eq!(admission.servers_over(), []);
    config.listeners[0].pool.max_db_connections = Some(1);
    config.listeners[0].pool.max_user_connections = Some(1);
    config.listeners[0].max_server_connections = Some(3);
    admission.reload(&config);
    let over = admission.servers_over();
    let told = |it: &Surplus| match it.rule {
        "max_db_connections" => ("database", it.party.database.to_string(), it.over),
        "max_user_connections" => ("role", it.party.role.to_string(), it.over),
        _ => ("all", String::new(), it.over),
    };
    assert_eq!(
        over.iter().map(told).collect::<Vec<_>>(),
        [("all", String::new(), 1), ("database", "shop".to_owned(), 1), ("role", "app".to_owned(), 2),]
    );
    let waiting = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.server(&party("cron", "shop"), within(5_000)).await }
    });
    settle().await;
    config.listeners[0].pool.max_db_connections = Some(3);
    config.listeners[0].max_server_connections = None;
    admission.reload(&config);
    drop(waiting.await.unwrap().unwrap());
    held.clear();
    assert_eq!((admission.servers_over(), admission.is_zero()), (vec![], true));
}
