//! When a server is made, for whom, and what happens where it cannot be.

use super::*;

#[test]
fn two_hundred_cold_clients_make_no_more_servers_than_the_pool_has() {
    run(async {
        let house = House::new(LIMITS, 1);
        let served = Rc::new(Cell::new(0));
        for _ in 0..200 {
            let (mut lease, served) = (house.lease(0), Rc::clone(&served));
            spawn_local(async move {
                take(&mut lease).await.unwrap();
                sleep(Duration::from_millis(1)).await;
                lease.give();
                served.set(served.get() + 1);
            });
        }
        let begin = clock::now();
        while served.get() < 200 {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
        sleep(MAKING).await;
        let made = house.maker.0.made.get();
        assert!(made <= 20, "{made}");
        assert_eq!(house.counts(), [0, 0, made as usize, 0]);
    });
}

#[test]
fn a_cold_pool_doubles_with_each_round_of_logins_until_all_are_served() {
    run(async {
        let house = House::new(LIMITS, 2);
        let begin = clock::now();
        let mut leases: Vec<_> = (0..20).map(|number| house.lease(number % 2)).collect();
        let served = futures::future::join_all(leases.iter_mut().map(take)).await;
        assert!(served.iter().all(Result::is_ok), "{served:?}");
        // 1, 2, 4, 8, 16, 20.
        assert!(begin.elapsed() <= MAKING * 6 + Duration::from_millis(10), "{:?}", begin.elapsed());
        assert!((2..=8).contains(&house.maker.0.at_once_most.get()), "{}", house.maker.0.at_once_most.get());
        assert_eq!(house.maker.0.made.get(), 20);
    });
}

#[test]
fn a_server_that_another_worker_makes_for_nobody_is_waited_for() {
    run(async {
        let house = House::new(Limits { min: 2, size: 3, ..LIMITS }, 2);
        // The least that is always there is begun with the first look.
        let mut first = house.lease(0);
        settle().await;
        assert_eq!(house.counts(), [0, 0, 0, 2]);
        let mut other = house.lease(1);
        let both = async { tokio::join!(take(&mut first), take(&mut other)) };
        assert!(matches!(both.await, (Ok(_), Ok(_))));
        assert_eq!((house.maker.0.made.get(), house.counts()), (2, [0, 2, 0, 0]));
    });
}

#[test]
fn who_waited_for_a_server_of_another_worker_in_vain_gets_one_of_its_own() {
    run(async {
        let house = House::new(Limits { min: 1, size: 3, ..LIMITS }, 2);
        let mut first = house.lease(0);
        settle().await;
        let mut other = house.lease(1);
        let mut waiting = pin!(take(&mut other));
        assert!(timeout(Duration::ZERO, waiting.as_mut()).await.is_err());
        assert_eq!(house.counts(), [1, 0, 0, 1]);
        // The one that it waits for fails, or goes to somebody there.
        *house.maker.0.fails.borrow_mut() = Some(NotMade::Full("53300".to_owned()));
        sleep(MAKING).await;
        *house.maker.0.fails.borrow_mut() = None;
        assert!(waiting.await.is_ok());
        assert!(take(&mut first).await.is_ok());
        assert_eq!((house.counts()[0], house.counts()[1]), (0, 2));
    });
}

#[test]
fn no_more_servers_are_made_than_clients_wait() {
    run(async {
        let house = House::new(LIMITS, 1);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        let both = async { tokio::join!(take(&mut one), take(&mut two)) };
        assert_eq!(both.await, (Ok(1), Ok(2)));
        assert_eq!(house.maker.0.made.get(), 2);
    });
}

#[test]
fn a_pool_without_any_server_tells_its_waiters_why_and_tries_again() {
    run(async {
        let house = House::new(LIMITS, 1);
        let why = NotMade::Failed("connection refused".to_owned());
        *house.maker.0.fails.borrow_mut() = Some(why.clone());
        let mut lease = house.lease(0);
        assert_eq!(take(&mut lease).await, Err(Unserved::NotMade(why)));
        assert_eq!(house.counts(), [0; 4]);
        // Whoever comes now waits for the next attempt, and gets its server where that goes well.
        *house.maker.0.fails.borrow_mut() = None;
        let begin = clock::now();
        assert_eq!(take(&mut lease).await, Ok(1));
        assert!(begin.elapsed() < Duration::from_millis(200), "{:?}", begin.elapsed());
    });
}

#[test]
fn a_full_server_is_no_error_while_somebody_may_give_one_back() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut first = house.lease(0);
        take(&mut first).await.unwrap();
        *house.maker.0.fails.borrow_mut() = Some(NotMade::Full("53300".to_owned()));
        let (mut second, begin) = (house.lease(0), clock::now());
        let given = async {
            sleep(Duration::from_secs(5)).await;
            first.give();
        };
        let (told, ()) = tokio::join!(take(&mut second), given);
        assert_eq!(told, Ok(1));
        assert!(begin.elapsed() < Duration::from_millis(5010));
        // It was tried now and then, not all the time.
        assert_eq!(house.counts(), [0, 1, 0, 0]);
    });
}

#[test]
fn a_failure_is_tried_again_more_and_more_slowly() {
    run(async {
        let house = House::new(LIMITS, 1);
        *house.maker.0.fails.borrow_mut() = Some(NotMade::Full("53300".to_owned()));
        let mut waiters: Vec<_> = (0..100).map(|_| house.lease(0)).collect();
        let all = futures::future::join_all(waiters.iter_mut().map(take));
        let told = all.await;
        assert!(told.iter().all(|told| matches!(told, Err(Unserved::TooLong(_, Some(NotMade::Full(_)))))), "{told:?}");
        assert!(house.maker.0.at_once_most.get() <= 20);
        assert_eq!(house.maker.0.made.get(), 0);
    });
}

#[test]
fn the_least_of_a_pool_that_the_server_lets_nobody_in_of_is_asked_for_again_by_the_next_client() {
    run(async {
        let house = House::new(Limits { min: 2, ..LIMITS }, 1);
        let mut lease = house.lease(0);
        assert_eq!(take(&mut lease).await, Ok(1));
        lease.give();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(house.counts(), [0, 0, 2, 0]);
        // DROP DATABASE: it was asked for every other second from then on, for ever.
        let gone = NotMade::Denied { sqlstate: "3D000", message: "database \"shop\" does not exist".to_owned() };
        *house.maker.0.fails.borrow_mut() = Some(gone);
        house.maker.0.broken.set(true);
        sleep(Duration::from_secs(2)).await;
        for _ in 0..1000 {
            sleep(Duration::from_millis(10)).await;
            assert_eq!(house.counts(), [0; 4]);
        }
        *house.maker.0.fails.borrow_mut() = None;
        house.maker.0.broken.set(false);
        assert_eq!(take(&mut lease).await, Ok(3));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(house.counts(), [0, 1, 1, 0]);
        // One that nobody uses any more is forgotten.
        *house.maker.0.fails.borrow_mut() = Some(NotMade::Denied { sqlstate: "28000", message: String::new() });
        house.maker.0.broken.set(true);
        drop(lease);
        sleep(Duration::from_secs(5)).await;
        assert!(house.register.rows().is_empty());
    });
}

#[test]
fn who_waits_a_moment_makes_no_server() {
    run(async {
        let house = House::new(LIMITS, 1);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        take(&mut one).await.unwrap();
        for _ in 0..100 {
            let given = async {
                sleep(Duration::from_millis(1)).await;
                one.give();
            };
            assert_eq!(tokio::join!(take(&mut two), given).0, Ok(1));
            std::mem::swap(&mut one, &mut two);
            // Once in a while, so that it does not add up.
            sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(house.maker.0.made.get(), 1);
    });
}

#[test]
fn who_waits_for_the_end_of_a_long_transaction_soon_has_a_server_of_its_own() {
    run(async {
        let house = House::new(LIMITS, 1);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        take(&mut one).await.unwrap();
        let begin = clock::now();
        assert_eq!(take(&mut two).await, Ok(2));
        assert!(begin.elapsed() <= MAKING + Duration::from_millis(7), "{:?}", begin.elapsed());
        // Many who wait together need not wait as long.
        let mut more: Vec<_> = (0..10).map(|_| house.lease(0)).collect();
        let begin = clock::now();
        let more = futures::future::select_all(more.iter_mut().map(|lease| Box::pin(take(lease))));
        assert!(matches!(more.await.0, Ok(3)));
        assert!(begin.elapsed() <= MAKING + Duration::from_millis(3), "{:?}", begin.elapsed());
    });
}

#[test]
fn a_guaranteed_server_is_made_at_once() {
    run(async {
        let house = House::new(Limits { guaranteed: 2, ..LIMITS }, 1);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        take(&mut one).await.unwrap();
        let begin = clock::now();
        assert_eq!(take(&mut two).await, Ok(2));
        assert_eq!(begin.elapsed(), MAKING);
    });
}
