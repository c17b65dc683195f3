//! Who waits for a server, in which order, and for how long.

use super::*;

#[test]
fn the_oldest_waiter_is_served_first() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let mut first = house.lease(0);
        take(&mut first).await.unwrap();
        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..10 {
            let (mut lease, order) = (house.lease(0), Rc::clone(&order));
            spawn_local(async move {
                take(&mut lease).await.unwrap();
                order.borrow_mut().push(number);
                yield_now().await;
                lease.give();
            });
            settle().await;
        }
        assert_eq!(house.counts(), [10, 1, 0, 0]);
        // Who comes now does not overtake.
        first.give();
        assert!(!first.try_take(|_| true));
        assert_eq!(take(&mut first).await, Ok(1));
        assert_eq!(*order.borrow(), (0..10).collect::<Vec<_>>());
    });
}

/// A session's transaction: first what is free, then its place in the queue. How long that took.
async fn transaction(lease: &mut Lease<Maker>) -> Duration {
    let begin = clock::now();
    if !lease.try_take(|_| true) {
        take(lease).await.unwrap();
    }
    sleep(WORK).await;
    lease.give();
    begin.elapsed()
}

const WORK: Duration = Duration::from_millis(10);

#[test]
fn a_crowd_is_served_round_by_round() {
    run(async {
        let house = House::new(Limits { size: 20, queue_length: 500, ..LIMITS }, 1);
        let times = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..500 {
            let (mut lease, times) = (house.lease(0), Rc::clone(&times));
            spawn_local(async move {
                // The first ones wait for servers that are being made.
                transaction(&mut lease).await;
                transaction(&mut lease).await;
                // Its next statement is always there already.
                for _ in 0..10 {
                    let time = transaction(&mut lease).await;
                    times.borrow_mut().push(time);
                }
            });
        }
        while times.borrow().len() < 5_000 {
            sleep(WORK).await;
        }
        let mut times = times.take();
        times.sort_unstable();
        let (median, last) = (times[2_500], times[4_950]);
        assert!(median >= 24 * WORK && last <= median.mul_f64(1.1), "{median:?}, {last:?}");
        assert_eq!(house.counts(), [0, 0, 20, 0]);
    });
}

#[test]
fn who_leaves_the_queue_gives_its_turn_to_the_next() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let mut first = house.lease(0);
        take(&mut first).await.unwrap();
        let (mut gone, mut next) = (house.lease(0), house.lease(0));
        {
            let gone = poll_fn(|cx| gone.poll_take(cx, |_| true));
            let next = poll_fn(|cx| next.poll_take(cx, |_| true));
            tokio::pin!(gone, next);
            assert!(futures::poll!(gone.as_mut()).is_pending());
            assert!(futures::poll!(next.as_mut()).is_pending());
            // It is handed to the first in line, who goes before it looks.
            first.give();
        }
        drop(gone);
        assert_eq!(take(&mut next).await, Ok(1));
        next.give();
        assert_eq!(house.counts(), [0, 0, 1, 0]);
    });
}

#[test]
fn who_waits_too_long_is_told_and_the_pool_is_not_marked() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let mut first = house.lease(0);
        take(&mut first).await.unwrap();
        let mut waiter = house.lease(0);
        let begin = clock::now();
        let told = take(&mut waiter).await;
        assert!(
            matches!(told, Err(Unserved::TooLong(waited, None)) if waited >= LIMITS.query_wait_timeout),
            "{told:?}"
        );
        assert!(begin.elapsed() < Duration::from_millis(30_010));
        // Saturated is not dead: the next one is served as soon as there is a server.
        first.give();
        assert_eq!(take(&mut waiter).await, Ok(1));
        waiter.give();
        assert_eq!(house.maker.0.made.get(), 1);
    });
}

#[test]
fn the_queue_has_a_length() {
    run(async {
        let house = House::new(Limits { size: 1, queue_length: 1, ..LIMITS }, 1);
        let mut first = house.lease(0);
        take(&mut first).await.unwrap();
        let mut second = house.lease(0);
        let mut third = house.lease(0);
        assert!(futures::poll!(std::pin::pin!(poll_fn(|cx| second.poll_take(cx, |_| true)))).is_pending());
        assert_eq!(take(&mut third).await, Err(Unserved::QueueFull(1)));
        drop(second);
        first.give();
        assert_eq!(take(&mut third).await, Ok(1));
    });
}

#[test]
fn a_worker_that_starves_is_served_with_the_next_server_given_back() {
    run(async {
        let house = House::new(Limits { size: 2, ..LIMITS }, 2);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        take(&mut one).await.unwrap();
        take(&mut two).await.unwrap();
        let mut waiting: Vec<_> = (0..5).map(|_| house.lease(0)).collect();
        for lease in &mut waiting {
            assert!(futures::poll!(std::pin::pin!(poll_fn(|cx| lease.poll_take(cx, |_| true)))).is_pending());
        }
        let mut elsewhere = house.lease(1);
        {
            let mut waits = std::pin::pin!(take(&mut elsewhere));
            assert!(futures::poll!(waits.as_mut()).is_pending());
            one.give();
            settle().await;
            assert_eq!(futures::poll!(waits.as_mut()), std::task::Poll::Ready(Ok(1)));
        }
        two.give();
        elsewhere.give();
        settle().await;
        for mut lease in waiting {
            take(&mut lease).await.unwrap();
            lease.give();
        }
        assert_eq!(house.counts(), [0, 0, 2, 0]);
        assert_eq!(house.maker.0.made.get(), 2);
    });
}

#[test]
fn an_idle_server_of_another_worker_comes_before_a_new_one() {
    run(async {
        let house = House::new(LIMITS, 2);
        let mut here = house.lease(0);
        assert_eq!(take(&mut here).await, Ok(1));
        here.give();
        let mut there = house.lease(1);
        assert_eq!(take(&mut there).await, Ok(1));
        there.give();
        assert_eq!(house.maker.0.made.get(), 1);
        assert_eq!(house.counts(), [0, 0, 1, 0]);
    });
}

#[test]
fn a_server_that_broke_while_idle_is_not_sent_to_another_worker() {
    run(async {
        let house = House::new(LIMITS, 2);
        let mut here = house.lease(0);
        assert_eq!(take(&mut here).await, Ok(1));
        here.give();
        house.maker.0.broken.set(true);
        let mut there = house.lease(1);
        assert_eq!(take(&mut there).await, Ok(2));
        there.give();
        assert_eq!(house.counts(), [0, 0, 1, 0]);
    });
}
