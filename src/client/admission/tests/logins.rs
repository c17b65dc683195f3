//! Logins in progress, and those who have not proven who they are.

use super::*;
use crate::client::admission::lobby::LOBBY_LEAST;

#[tokio::test(start_paused = true)]
async fn claims_burn_no_rate() {
    let admission = admission(|config| {
        config.caps.over = Over::Refuse;
        config.caps.client.new_connections_per_second = 3;
    });
    for _ in 0..50 {
        drop(admission.claim(&who("web"), within(0)).await.unwrap());
    }
    for _ in 0..3 {
        drop(login(&admission, &who("web")).await.unwrap());
    }
    let denied = login(&admission, &who("web")).await.unwrap_err();
    assert_eq!((denied.rule, denied.limit, denied.reason), ("new_connections_per_second", 3, Reason::Rate));
    advance(Duration::from_millis(340)).await;
    drop(login(&admission, &who("web")).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_claim_holds_no_login() {
    let admission = admission(|config| {
        config.caps.max_logins = 2;
        config.caps.client.max_connections = 1;
    });
    let held = login(&admission, &who("web")).await.unwrap();
    for _ in 0..10 {
        let admission = Arc::clone(&admission);
        tokio::spawn(async move { admission.claim(&who("web"), within(5_000)).await.map(drop) });
    }
    settle().await;
    assert_eq!((admission.counters().waiting, admission.counters().logins), (10, 0));
    let began = clock::now();
    drop(login(&admission, &who("cron")).await.unwrap());
    assert_eq!(clock::now(), began);
    drop(held);
    sleep(Duration::from_secs(6)).await;
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[tokio::test(start_paused = true)]
async fn the_login_budget_bounds_by_address_and_in_all() {
    let admission = admission(|config| {
        config.caps.over = Over::Refuse;
        config.caps.max_logins = 3;
        config.caps.max_logins_per_address = 2;
    });
    let _two =
        [admission.claim(&who("a"), within(0)).await.unwrap(), admission.claim(&who("b"), within(0)).await.unwrap()];
    let denied = admission.claim(&who("c"), within(0)).await.unwrap_err();
    assert_eq!((denied.rule, denied.scope.as_str(), denied.limit), ("max_logins_per_address", "address", 2));
    let _third = admission.claim(&who_at("c", "10.0.0.9"), within(0)).await.unwrap();
    let denied = admission.claim(&who_at("d", "10.0.0.8"), within(0)).await.unwrap_err();
    assert_eq!((denied.rule, denied.scope.as_str(), denied.limit), ("max_logins", "listener", 3));
}

/// Whose counters come and go would be lost to whoever watches them.
#[tokio::test(start_paused = true)]
async fn the_caps_of_an_address_have_a_row_before_anybody_comes_and_after() {
    let admission = admission(|config| {
        config.caps.over = Over::Refuse;
        config.caps.max_logins_per_address = 1;
    });
    let row = || {
        let rows = admission.cap_rows();
        let row = rows.into_iter().find(|row| row.rule == "max_logins_per_address").unwrap();
        (row.scope, row.current, row.limit, row.refused)
    };
    assert_eq!(row(), ("address".to_owned(), 0, Some(1), 0));
    let held = admission.claim(&who("a"), within(0)).await.unwrap();
    assert_eq!(admission.claim(&who("b"), within(0)).await.unwrap_err().rule, "max_logins_per_address");
    assert_eq!(row(), ("address 10.0.0.1".to_owned(), 1, Some(1), 1));
    drop(held);
    assert_eq!(row(), ("address".to_owned(), 0, Some(1), 1));
}

#[tokio::test(start_paused = true)]
async fn logins_take_turns_even_where_newcomers_over_a_cap_are_refused() {
    let admission = admission(|config| {
        config.caps.over = Over::Refuse;
        config.caps.max_logins = 1;
        config.caps.client.max_connections = 1;
    });
    let first = admission.claim(&who("web"), within(0)).await.unwrap();
    let second = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.claim(&who("web"), within(5_000)).await }
    });
    settle().await;
    assert_eq!(admission.counters().waiting, 1);
    // Its turn comes, but by then the client is full: it is told at once.
    let began = clock::now();
    let _client = admission.prove(first, within(0)).await.unwrap();
    let denied = second.await.unwrap().unwrap_err();
    assert_eq!((denied.rule, denied.reason), ("client_max_connections", Reason::Full));
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn as_many_as_may_be_in_may_dial_at_once() {
    let room_for = |clients: usize| {
        let mut config = config();
        config.caps.max_clients = clients;
        config
    };
    let admission = Admission::new(&room_for(6000), "main");
    let dial = |count: usize| -> Vec<_> {
        (0..count).filter_map(|number| admission.lobby(address(&format!("10.0.0.{}", number % 2)))).collect()
    };
    assert_eq!(dial(7000).len(), 6000);
    admission.reload(&room_for(5000));
    assert_eq!(dial(7000).len(), 5000);
    admission.reload(&room_for(10));
    assert_eq!(dial(7000).len(), LOBBY_LEAST);
    assert_eq!(admission.counters().lobby, 0);
}

#[tokio::test(start_paused = true)]
async fn the_lobby_is_bounded_in_all_and_by_address_and_cancels_have_their_lane() {
    let admission = admission(|config| config.caps.max_clients = 0);
    admission.lock().lobby_limits = LobbyLimits { all: 3, per_address: 2 };
    let lobby = |from: &str| admission.lobby(address(from));
    let held = [lobby("10.0.0.1"), lobby("10.0.0.1"), lobby("10.0.0.2")];
    assert!(held.iter().all(Option::is_some));
    assert!(lobby("10.0.0.3").is_none());
    let [first, ..] = held;
    drop(first);
    assert!(lobby("10.0.0.1").is_some());

    let mut cancels = Vec::new();
    for _ in 0..CANCELS_AT_ONCE {
        cancels.push(admission.cancel().await.unwrap());
    }
    assert!(timeout(Duration::from_millis(10), admission.cancel()).await.is_err());
    cancels.pop();
    drop(admission.cancel().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn claims_that_are_never_proven_leave_no_record() {
    let admission = admission(|_| ());
    for n in 0..500 {
        drop(admission.claim(&who(&format!("stranger{n}")), within(100)).await.unwrap());
    }
    assert_eq!(admission.lock().records.len(), 0);
    assert!(admission.surge_rows().is_empty());
    drop(login(&admission, &who("web")).await.unwrap());
    assert_eq!(admission.surge_rows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_back_after_its_claim_is_not_left_listed() {
    let admission = admission(|_| ());
    let (claim, ..) = admission.note_claim(&who("web"));
    let held = admission.lock().take(&Want::Login(claim.number), clock::now()).unwrap();
    drop(claim);
    admission.give_back(held);
    assert!(admission.is_zero(), "{:?}", admission.counters());
}
