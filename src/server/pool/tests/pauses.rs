//! Pools that an operator has paused, or whose servers are to be new ones.

use super::*;

/// The pools of this database are paused.
fn paused(database: &str) -> Held {
    Held { all: false, databases: [database.to_owned()].into() }
}

#[test]
fn reconnect_closes_what_is_idle_now_and_what_is_lent_when_it_is_given_back() {
    run(async {
        let house = House::new(LIMITS, 2);
        let (mut here, mut idle, mut there) = (house.lease(0), house.lease(0), house.lease(1));
        take(&mut here).await.unwrap();
        take(&mut idle).await.unwrap();
        take(&mut there).await.unwrap();
        idle.give();
        house.register.reconnect(Some("other"));
        settle().await;
        assert_eq!(house.counts(), [0, 2, 1, 0], "another database is no concern of this pool");
        house.register.reconnect(Some("shop"));
        assert_eq!(house.row().servers.iter().filter(|server| server.close_needed).count(), 3);
        settle().await;
        assert_eq!(house.counts(), [0, 2, 0, 0]);
        here.give();
        there.give();
        settle().await;
        assert_eq!(house.counts(), [0; 4]);
        // New ones are made by need, and stay.
        assert_eq!(take(&mut here).await, Ok(4));
        here.give();
        assert_eq!(take(&mut here).await, Ok(4));
        assert!(house.row().servers.iter().all(|server| !server.close_needed));
        here.give();
        assert_eq!(house.counts(), [0, 0, 1, 0]);
    });
}

#[test]
fn a_pause_serves_nobody_and_leaves_no_server_and_its_end_serves_all() {
    run(async {
        let house = House::new(Limits { min: 1, ..LIMITS }, 2);
        let (mut lent, mut idle) = (house.lease(0), house.lease(1));
        take(&mut lent).await.unwrap();
        take(&mut idle).await.unwrap();
        idle.give();
        house.register.hold(|| paused("shop"));
        settle().await;
        assert_eq!((house.counts(), house.register.open()), ([0, 1, 0, 0], 1));
        let mut waiting = [house.lease(0), house.lease(1), house.lease(1)];
        for lease in &mut waiting {
            assert!(futures::poll!(std::pin::pin!(poll_fn(|cx| lease.poll_take(cx, |_| true)))).is_pending());
        }
        lent.give();
        // Neither what is given back nor the tick serves anybody.
        sleep(Duration::from_secs(5)).await;
        assert_eq!((house.counts(), house.register.open()), ([3, 0, 0, 0], 0));
        let made = house.maker.0.made.get();
        house.register.hold(Held::default);
        let served = futures::future::join_all(waiting.iter_mut().map(take)).await;
        assert!(served.iter().all(|served| served.as_ref().is_ok_and(|number| *number > made)), "{served:?}");
        waiting.iter_mut().for_each(Lease::give);
        // Some may have been begun for waiters that another one served.
        sleep(MAKING * 2).await;
        let [waits, active, idle, login] = house.counts();
        assert_eq!(([waits, active, login], idle >= 1), ([0, 0, 0], true));
    });
}

#[test]
fn a_pool_that_everybody_leaves_in_a_pause_is_forgotten_when_that_is_over() {
    run(async {
        let house = House::new(LIMITS, 2);
        let mut lease = house.lease(0);
        take(&mut lease).await.unwrap();
        lease.give();
        house.register.hold(|| paused("shop"));
        drop(lease);
        sleep(Duration::from_secs(60)).await;
        assert_eq!((house.register.rows().len(), house.register.open(), house.maker.0.forgot.get()), (1, 0, 0));
        house.register.hold(Held::default);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(house.register.rows(), []);
        assert!(house.maker.0.forgot.get() > 0, "what was learnt before the pause may no longer hold");
    });
}

#[test]
fn who_waits_in_a_pause_waits_no_longer_than_ever() {
    run(async {
        let house = House::new(LIMITS, 1);
        house.register.hold(|| Held { all: true, databases: Default::default() });
        // The pool is made while everything is paused.
        let mut lease = house.lease(0);
        assert!(matches!(take(&mut lease).await, Err(Unserved::TooLong(..))));
        assert_eq!(house.counts(), [0; 4]);
        house.register.hold(Held::default);
        assert_eq!(take(&mut lease).await, Ok(1));
        lease.give();
    });
}

#[test]
fn a_server_that_was_being_made_when_the_pause_began_serves_nobody() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut lease = house.lease(0);
        {
            let mut waits = std::pin::pin!(take(&mut lease));
            assert!(futures::poll!(waits.as_mut()).is_pending());
            assert_eq!(house.counts(), [1, 0, 0, 1]);
            house.register.hold(|| paused("shop"));
            sleep(MAKING * 3).await;
            assert!(futures::poll!(waits.as_mut()).is_pending());
            assert_eq!((house.counts(), house.register.open()), ([1, 0, 0, 0], 0));
            house.register.hold(Held::default);
            assert_eq!(waits.await, Ok(2));
        }
        lease.give();
        assert_eq!(house.counts(), [0, 0, 1, 0]);
    });
}
