//! How many servers a pool keeps, and who has to give one up.

use super::*;

#[test]
fn a_larger_size_serves_who_waits() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 2);
        let (mut first, mut second) = (house.lease(0), house.lease(1));
        assert_eq!(take(&mut first).await, Ok(1));
        let waiting = spawn_local(async move { take(&mut second).await });
        settle().await;
        house.register.set_bounds(LIMITS);
        assert_eq!(waiting.await.unwrap(), Ok(2));
    });
}

#[test]
fn idle_servers_are_closed_in_time_down_to_the_least() {
    run(async {
        let house = House::new(Limits { min: 2, ..LIMITS }, 1);
        let mut leases: Vec<_> = (0..5).map(|_| house.lease(0)).collect();
        futures::future::join_all(leases.iter_mut().map(take)).await;
        leases.iter_mut().for_each(Lease::give);
        assert_eq!(house.counts(), [0, 0, 5, 0]);
        sleep(LIMITS.idle_timeout + Duration::from_secs(3)).await;
        assert_eq!(house.counts(), [0, 0, 2, 0]);
        // Those that break are replaced.
        house.maker.0.broken.set(true);
        sleep(Duration::from_millis(1010)).await;
        house.maker.0.broken.set(false);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(house.counts(), [0, 0, 2, 0]);
    });
}

/// Each worker looked at the same moment, and closed as many as all of them could spare.
#[test]
fn workers_close_no_more_idle_servers_together_than_are_too_many() {
    run(async {
        let house = House::new(Limits { min: 2, ..LIMITS }, 2);
        house.maker.0.closing.set(Duration::from_millis(5));
        let mut leases: Vec<_> = (0..4).map(|number| house.lease(number % 2)).collect();
        futures::future::join_all(leases.iter_mut().map(take)).await;
        leases.iter_mut().for_each(Lease::give);
        assert_eq!(house.counts(), [0, 0, 4, 0]);
        let begin = clock::now();
        while begin.elapsed() < LIMITS.idle_timeout + Duration::from_secs(3) {
            sleep(Duration::from_millis(100)).await;
            assert!(house.counts()[2] >= 2, "{:?}", house.counts());
        }
        assert_eq!((house.counts(), house.maker.0.made.get()), ([0, 0, 2, 0], 4));
    });
}

#[test]
fn a_smaller_size_closes_what_is_given_back_and_cuts_nobody() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut leases: Vec<_> = (0..5).map(|_| house.lease(0)).collect();
        futures::future::join_all(leases.iter_mut().map(take)).await;
        house.register.set_bounds(Limits { size: 2, ..LIMITS });
        assert_eq!(house.counts(), [0, 5, 0, 0]);
        leases.iter_mut().for_each(Lease::give);
        assert_eq!(house.counts(), [0, 0, 2, 0]);
    });
}

#[test]
fn a_pool_without_servers_gets_the_place_that_another_can_spare() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut rich: Vec<_> = (0..3).map(|_| house.lease(0)).collect();
        futures::future::join_all(rich.iter_mut().map(take)).await;
        let other = house.workers[0].pool(&key("other"), || house.maker.clone());
        let slot = other.shared.reserve(1).unwrap();
        let mut waiter = Lease::new(Rc::clone(&other));
        assert!(futures::poll!(pin!(take(&mut waiter))).is_pending());
        let placing = slot.wait_for_place(Some(Room::Listener)).unwrap();
        assert!(slot.wait_for_place(Some(Room::Listener)).is_err(), "one is enough");
        // Nothing is idle, so the next server that is given back makes room; it is not used again meanwhile.
        rich[0].give();
        assert_eq!(house.register.rows().iter().map(|row| count(row, Standing::Active)).sum::<usize>(), 2);
        drop(placing);
        rich[1].give();
        // Something is idle now: it makes room at once.
        let placing = slot.wait_for_place(Some(Room::Listener)).unwrap();
        settle().await;
        let rows = house.register.rows();
        assert_eq!(rows.iter().map(|row| count(row, Standing::Idle)).sum::<usize>(), 0, "{rows:?}");
        drop((placing, slot));
        drop((rich, waiter));
        drop(other);
        // What was being made for the waiter is idle until then.
        sleep(LIMITS.idle_timeout + Duration::from_secs(3)).await;
        assert_eq!(house.register.rows(), [], "pools that nobody uses are forgotten");
    });
}

#[test]
fn who_waits_hears_of_a_larger_size() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let (mut busy, mut waiting) = (house.lease(0), house.lease(0));
        take(&mut busy).await.unwrap();
        let mut waits = std::pin::pin!(take(&mut waiting));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        house.register.set_bounds(Limits { size: 2, ..LIMITS });
        let begin = clock::now();
        assert_eq!(waits.await, Ok(2));
        assert!(begin.elapsed() < MAKING * 2);
        busy.give();
    });
}

/// Two servers for the one, the common bounds for all others.
#[derive(Debug)]
struct TwoFor(Key, Limits);

impl Bounds for TwoFor {
    fn of(&self, pool: &Key) -> Limits {
        if *pool == self.0 { Limits { size: 2, ..self.1 } } else { self.1 }
    }
}

#[test]
fn each_pool_has_its_own_size_and_hears_of_another() {
    run(async {
        let house = House::new(TwoFor(key("small"), Limits { size: 3, ..LIMITS }), 1);
        let pool = |name: &str| house.workers[0].pool(&key(name), || house.maker.clone());
        let (small, large) = (pool("small"), pool("large"));
        let leases = |pool: &Rc<Pool<Maker>>| (0..4).map(|_| Lease::new(Rc::clone(pool))).collect::<Vec<_>>();
        let mut taken = Vec::new();
        for mut lease in leases(&small).into_iter().chain(leases(&large)) {
            taken.push(spawn_local(async move { (take(&mut lease).await, lease) }));
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!((small.shared.servers(), large.shared.servers()), (2, 3));
        house.register.set_bounds(TwoFor(key("large"), Limits { size: 4, ..LIMITS }));
        sleep(Duration::from_secs(1)).await;
        assert_eq!((small.shared.servers(), large.shared.servers()), (4, 3));
        let limits = |name: &str| house.register.limits_of(&key(name)).size;
        assert_eq!((limits("small"), limits("large")), (4, 2));
    });
}
