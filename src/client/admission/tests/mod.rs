mod logins;
mod servers;
mod storm;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{advance, sleep, timeout};

use super::fixture::{CLIENT_MAX, config, rule};
use super::*;
use crate::config::{Over, PoolMode};

fn admission(change: impl FnOnce(&mut Config)) -> Arc<Admission> {
    let mut config = config();
    change(&mut config);
    Admission::new(&config, "main")
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn who_at(user: &str, from: &str) -> Identity {
    Identity {
        listener: "main".into(),
        user: user.into(),
        database: "shop".into(),
        role: None,
        application_name: String::new(),
        address: address(from),
    }
}

fn who(user: &str) -> Identity {
    who_at(user, "10.0.0.1")
}

fn party(role: &str, database: &str) -> Arc<Party> {
    Party::new(role, database)
}

fn within(millis: u64) -> Instant {
    clock::now() + Duration::from_millis(millis)
}

async fn login(admission: &Arc<Admission>, identity: &Identity) -> Result<ClientPermit, Denied> {
    let login = admission.claim(identity, within(1000)).await?;
    admission.prove(login, within(1000)).await
}

/// Lets everything run that can, without letting time pass.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_house_admits_to_its_cap_and_queues_the_next() {
    let admission = admission(|config| config.caps.max_clients = 2);
    let first = admission.enter(address("10.0.0.1"), within(100)).await.unwrap();
    let second = admission.enter(address("10.0.0.2"), within(100)).await.unwrap();
    let denied = admission.enter(address("10.0.0.3"), within(100)).await.unwrap_err();
    assert_eq!((denied.rule, denied.current, denied.limit), ("max_clients", 2, 2));
    assert_eq!((denied.reason, denied.disclose), (Reason::WaitedTooLong, Disclose::NameOnly));
    assert_eq!(denied.waited, Duration::from_millis(100));

    let waiting = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.enter(address("10.0.0.3"), within(1000)).await }
    });
    settle().await;
    assert_eq!(admission.counters().waiting, 1);
    drop(first);
    let third = waiting.await.unwrap().unwrap();
    assert_eq!(third.waited().map(|waited| waited.rule), Some("max_clients"));
    drop((second, third));
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn a_full_address_holds_up_nobody_else() {
    let admission = admission(|config| config.caps.address_max_connections = 1);
    let _first = admission.enter(address("2001:db8::1"), within(100)).await.unwrap();
    let denied = admission.enter(address("2001:db8::2"), within(10)).await.unwrap_err();
    assert_eq!((denied.rule, denied.scope.as_str()), ("address_max_connections", "address"));
    let _other = admission.enter(address("2001:db8:0:1::1"), within(0)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn refuse_answers_at_once() {
    let admission = admission(|config| config.caps.over = Over::Refuse);
    let mut held = Vec::new();
    for _ in 0..CLIENT_MAX {
        held.push(login(&admission, &who("web")).await.unwrap());
    }
    let denied = admission.claim(&who("web"), within(1000)).await.unwrap_err();
    assert_eq!((denied.rule, denied.scope.as_str()), ("client_max_connections", "web/shop"));
    assert_eq!((denied.current, denied.limit, denied.reason), (5, 5, Reason::Full));
    assert_eq!(denied.disclose, Disclose::Counts, "this address has proven this client");
    assert_eq!(denied.waited, Duration::ZERO);
    let stranger = admission.claim(&who_at("web", "10.9.9.9"), within(1000)).await.unwrap_err();
    assert_eq!(stranger.disclose, Disclose::NameOnly);
    drop(held);
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn waiters_of_a_client_are_served_in_order_of_arrival() {
    let admission = admission(|config| config.caps.client.max_connections = 1);
    let held = login(&admission, &who("web")).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let login = admission.claim(&who("web"), within(60_000)).await.unwrap();
            let client = admission.prove(login, within(60_000)).await.unwrap();
            order.lock().unwrap().push(n);
            sleep(Duration::from_millis(7)).await;
            drop(client);
        }));
        settle().await;
    }
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn one_free_place_sends_one_waiter_to_the_server() {
    let admission = admission(|config| config.caps.client.max_connections = 1);
    let held = login(&admission, &who("web")).await.unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    for _ in 0..9 {
        let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
        tokio::spawn(async move {
            let login = admission.claim(&who("web"), within(5_000)).await;
            running.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(100)).await;
            drop(login);
        });
    }
    settle().await;
    drop(held);
    settle().await;
    assert_eq!(running.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_away_passes_its_turn_on() {
    let admission = admission(|config| config.caps.max_clients = 1);
    let held = admission.enter(address("10.0.0.1"), within(0)).await.unwrap();
    let spawn = || {
        let admission = Arc::clone(&admission);
        tokio::spawn(async move { admission.enter(address("10.0.0.2"), within(1000)).await })
    };
    let (gone, stays) = (spawn(), spawn());
    settle().await;
    assert_eq!(admission.counters().waiting, 2);
    gone.abort();
    settle().await;
    assert_eq!(admission.counters().waiting, 1);
    drop(held);
    drop(stays.await.unwrap().unwrap());

    // Gone at the very moment at which its turn came.
    let held = admission.enter(address("10.0.0.1"), within(0)).await.unwrap();
    let (gone, stays) = (spawn(), spawn());
    settle().await;
    drop(held);
    gone.abort();
    drop(stays.await.unwrap().unwrap());
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn naming_another_client_does_not_deny_it() {
    for over in [Over::Queue, Over::Refuse] {
        let admission = admission(|config| config.caps.over = over);
        // As many claims as the victim may have connections, from its own address and silent from then on.
        let mut silent = Vec::new();
        for _ in 0..CLIENT_MAX {
            silent.push(admission.claim(&who("web"), within(1000)).await.unwrap());
        }
        let began = clock::now();
        let mut held = Vec::new();
        for _ in 0..CLIENT_MAX {
            held.push(login(&admission, &who("web")).await.unwrap());
        }
        assert!(clock::now() - began < Duration::from_millis(500), "{over:?}: {:?}", clock::now() - began);
        drop((silent, held));
        assert!(admission.is_zero(), "{:?}", admission.counters());
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_elsewhere_do_not_even_delay_a_known_address() {
    let admission = admission(|config| config.caps.client.max_connections = 2);
    drop(login(&admission, &who("web")).await.unwrap());
    let _strangers = [
        admission.claim(&who_at("web", "10.9.9.9"), within(1000)).await.unwrap(),
        admission.claim(&who_at("web", "10.9.9.9"), within(1000)).await.unwrap(),
    ];
    let began = clock::now();
    let _client = login(&admission, &who("web")).await.unwrap();
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn the_rate_spreads_a_burst_over_time() {
    let admission = admission(|config| config.caps.client.new_connections_per_second = 10);
    let began = clock::now();
    let mut tasks = Vec::new();
    for _ in 0..40 {
        let admission = Arc::clone(&admission);
        tasks.push(tokio::spawn(async move {
            let login = admission.claim(&who("web"), within(60_000)).await.unwrap();
            drop(admission.prove(login, within(60_000)).await.unwrap());
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let took = clock::now() - began;
    assert!((3_000..4_500).contains(&took.as_millis()), "{took:?}");
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn all_caps_of_a_client_are_taken_together_or_none() {
    let admission = admission(|config| {
        config.caps.over = Over::Refuse;
        config.clients = vec![rule("web", "web*", Some(3)), rule("everybody", "*", Some(4))];
    });
    let mut held = Vec::new();
    for user in ["web1", "web2", "web1"] {
        held.push(login(&admission, &who(user)).await.unwrap());
    }
    assert_eq!(&**held[0].label(), "web");
    assert_eq!(login(&admission, &who("web2")).await.unwrap_err().scope, "web");
    held.push(login(&admission, &who("cron")).await.unwrap());
    assert_eq!(login(&admission, &who("cron")).await.unwrap_err().scope, "everybody");
    let open: usize = admission.cap_rows().iter().filter(|row| row.scope == "everybody").map(|row| row.current).sum();
    assert_eq!(open, 4);
    drop(held);
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_names_what_it_stands_for() {
    let admission = admission(|config| {
        config.caps.queue_length = 1;
        config.caps.client.max_connections = 1;
    });
    let _held = login(&admission, &who("web")).await.unwrap();
    let waiting = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.claim(&who("web"), within(1_000)).await.map(drop) }
    });
    settle().await;
    let denied = admission.claim(&who("web"), within(1_000)).await.unwrap_err();
    assert_eq!((denied.rule, denied.reason, denied.limit), ("queue_length", Reason::QueueFull, 1));
    let behind = denied.behind.unwrap();
    assert_eq!((behind.rule, behind.scope.as_str()), ("client_max_connections", "web/shop"));
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn server_connections_are_capped_by_configuration_or_by_what_was_learnt() {
    let unlimited = admission(|_| ());
    let web = party("web", "shop");
    let held: Vec<_> = futures::future::join_all((0..500).map(|_| unlimited.server(&web, within(0)))).await;
    assert!(held.iter().all(Result::is_ok));
    unlimited.set_learnt_server_limit(Some(500));
    let denied = unlimited.server(&party("web", "shop"), within(0)).await.unwrap_err();
    assert_eq!((denied.rule, denied.current, denied.limit), ("max_server_connections", 500, 500));
    // A newcomer is told so before it is sent to log in.
    assert_eq!(unlimited.claim(&who("web"), within(0)).await.unwrap_err().rule, "max_server_connections");
    drop(held);
    drop(unlimited.claim(&who("web"), within(0)).await.unwrap());

    let fixed = admission(|config| config.listeners[0].max_server_connections = Some(1));
    fixed.set_learnt_server_limit(Some(90));
    let _one = fixed.server(&party("web", "shop"), within(0)).await.unwrap();
    assert_eq!(fixed.server(&party("web", "shop"), within(0)).await.unwrap_err().limit, 1);
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_all_in_use_keep_nobody_out_of_a_pool() {
    let refuses = |config: &mut Config| {
        config.listeners[0].max_server_connections = Some(1);
        config.listeners[0].pool.mode = PoolMode::Transaction;
        config.caps.over = Over::Refuse;
    };
    let pooled = admission(refuses);
    let one = pooled.server(&party("web", "shop"), within(0)).await.unwrap();
    // One pool waits for it in any case, and others come in all the same.
    let waiting = tokio::spawn({
        let pooled = Arc::clone(&pooled);
        async move { pooled.server(&party("web", "shop"), within(1_000)).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(pooled.claim(&who("web"), within(0)).await.unwrap());
    drop(one);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_reload_moves_waiters_and_leaves_the_established() {
    let mut config = config();
    config.caps.client.max_connections = 1;
    let admission = Admission::new(&config, "main");
    let held = login(&admission, &who("web")).await.unwrap();
    let waiting = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { login(&admission, &who("web")).await }
    });
    settle().await;
    config.caps.client.max_connections = 2;
    admission.reload(&config);
    let second = waiting.await.unwrap().unwrap();

    // Lower again, and now the entry `web` counts too: who is in stays in and is given back as it was taken.
    config.caps.client.max_connections = 1;
    config.clients = vec![rule("web", "web", Some(1))];
    admission.reload(&config);
    assert_eq!(admission.counters().open, 2);
    drop((held, second));
    let _again = login(&admission, &who("web")).await.unwrap();
    assert_eq!(admission.counters().open, 2, "one connection in two caps");
}

#[tokio::test(start_paused = true)]
async fn a_surge_shows_in_the_rows_within_three_seconds() {
    let admission = admission(|config| {
        config.caps.max_clients = 1000;
        config.caps.client.max_connections = 115;
    });
    let mut held = Vec::new();
    let mut seen = None;
    for step in 0..12 {
        for _ in 0..6 {
            held.push(login(&admission, &who("django")).await.unwrap());
        }
        admission.tick(clock::now());
        advance(Duration::from_millis(250)).await;
        let row = admission.surge_rows().remove(0);
        if row.state >= SurgeState::Step && seen.is_none() {
            seen = Some(step);
            assert_eq!((row.client.as_str(), row.limit), ("django/shop", Some(115)));
        }
    }
    assert!(seen.is_some(), "{:?}", admission.surge_rows());
}
