//! Pools with servers that are mere numbers, on a clock that stands still.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::{Key, Lease, Limits, Make, Member, NotMade, Pool, Pools, Register, Slot, Unserved};
use crate::clock::{self, Instant};

const LIMITS: Limits = Limits {
    size: 20,
    min: 0,
    guaranteed: 0,
    queue_length: 1000,
    query_wait_timeout: Duration::from_secs(30),
    idle_timeout: Duration::from_secs(600),
};

/// How long it takes to make a server.
const MAKING: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Fake {
    number: u32,
    slot: Slot,
    broken: Rc<Cell<bool>>,
    expires: Instant,
}

impl Member for Fake {
    type Away = (u32, Slot, Instant);

    fn is_sound(&mut self) -> bool {
        !self.broken.get()
    }

    fn is_wanted(&self, now: Instant) -> bool {
        self.expires > now
    }

    fn slot(&mut self) -> &mut Slot {
        &mut self.slot
    }

    fn leave(self: Box<Self>) -> Option<Self::Away> {
        Some((self.number, self.slot, self.expires))
    }

    fn arrive((number, slot, expires): Self::Away) -> Option<Box<Self>> {
        Some(Box::new(Self { number, slot, broken: Rc::default(), expires }))
    }

    fn close(self: Box<Self>) {}
}

/// What the makers of a test have done, and how they do.
#[derive(Debug, Default)]
struct Works {
    made: Cell<u32>,
    at_once: Cell<u32>,
    at_once_most: Cell<u32>,
    fails: RefCell<Option<NotMade>>,
    broken: Rc<Cell<bool>>,
}

#[derive(Debug, Clone, Default)]
struct Maker(Rc<Works>);

impl Make for Maker {
    type Server = Fake;

    async fn make(&self, slot: Slot) -> Result<Box<Fake>, NotMade> {
        let works = &self.0;
        works.at_once.set(works.at_once.get() + 1);
        works.at_once_most.set(works.at_once_most.get().max(works.at_once.get()));
        sleep(MAKING).await;
        works.at_once.set(works.at_once.get() - 1);
        if let Some(why) = works.fails.borrow().clone() {
            return Err(why);
        }
        works.made.set(works.made.get() + 1);
        let expires = clock::now() + Duration::from_secs(3600);
        Ok(Box::new(Fake { number: works.made.get(), slot, broken: Rc::clone(&works.broken), expires }))
    }
}

fn key(database: &str) -> Key {
    Key { user: "app".to_owned(), database: database.to_owned() }
}

struct House {
    register: Arc<Register<(u32, Slot, Instant)>>,
    workers: Vec<Rc<Pools<Maker>>>,
    maker: Maker,
}

impl House {
    fn new(limits: Limits, workers: usize) -> Self {
        let register = Register::new(limits, workers);
        let workers = (0..workers).map(|worker| Pools::new(Arc::clone(&register), worker)).collect();
        Self { register, workers, maker: Maker::default() }
    }

    fn pool(&self, worker: usize) -> Rc<Pool<Maker>> {
        self.workers[worker].pool(&key("shop"), || self.maker.clone())
    }

    fn lease(&self, worker: usize) -> Lease<Maker> {
        Lease::new(self.pool(worker))
    }

    fn row(&self) -> super::PoolRow {
        self.register.rows().pop().unwrap()
    }

    fn counts(&self) -> [usize; 4] {
        let row = self.row();
        [row.cl_waiting, row.sv_active, row.sv_idle, row.sv_login]
    }
}

async fn take(lease: &mut Lease<Maker>) -> Result<u32, Unserved> {
    poll_fn(|cx: &mut Context<'_>| lease.poll_take(cx)).await?;
    Ok(lease.server().unwrap().number)
}

/// Everything that can happen without time going by.
async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new()
        .block_on(&runtime, async { timeout(Duration::from_secs(7200), test).await.expect("the test hangs") });
}

#[test]
fn a_server_that_is_given_back_is_taken_again() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut lease = house.lease(0);
        assert!(!lease.try_take());
        for _ in 0..3 {
            assert_eq!(take(&mut lease).await, Ok(1));
            assert_eq!(house.counts(), [0, 1, 0, 0]);
            lease.give();
            assert_eq!(house.counts(), [0, 0, 1, 0]);
        }
        assert!(lease.try_take());
        // Nobody has said that it is clean.
        drop(lease);
        assert_eq!(house.counts(), [0; 4]);
    });
}

#[test]
fn a_server_that_broke_while_a_cancel_landed_goes_to_nobody() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let (mut first, mut next) = (house.lease(0), house.lease(0));
        assert_eq!(take(&mut first).await, Ok(1));
        let server = first.release().unwrap();
        let waiting = spawn_local(async move { take(&mut next).await });
        settle().await;
        house.maker.0.broken.set(true);
        house.pool(0).give_back(server);
        assert_eq!(waiting.await.unwrap(), Ok(2));
        assert_eq!(house.counts(), [0; 4]);
    });
}

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
        assert_eq!(house.maker.0.made.get(), 20);
        assert_eq!(house.counts(), [0, 0, 20, 0]);
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
        assert!(!first.try_take());
        assert_eq!(take(&mut first).await, Ok(1));
        assert_eq!(*order.borrow(), (0..10).collect::<Vec<_>>());
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
            let gone = poll_fn(|cx| gone.poll_take(cx));
            let next = poll_fn(|cx| next.poll_take(cx));
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
        assert!(futures::poll!(std::pin::pin!(poll_fn(|cx| second.poll_take(cx)))).is_pending());
        assert_eq!(take(&mut third).await, Err(Unserved::QueueFull(1)));
        drop(second);
        first.give();
        assert_eq!(take(&mut third).await, Ok(1));
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
fn a_worker_that_starves_is_served_with_the_next_server_given_back() {
    run(async {
        let house = House::new(Limits { size: 2, ..LIMITS }, 2);
        let (mut one, mut two) = (house.lease(0), house.lease(0));
        take(&mut one).await.unwrap();
        take(&mut two).await.unwrap();
        let mut waiting: Vec<_> = (0..5).map(|_| house.lease(0)).collect();
        for lease in &mut waiting {
            assert!(futures::poll!(std::pin::pin!(poll_fn(|cx| lease.poll_take(cx)))).is_pending());
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

#[test]
fn a_smaller_size_closes_what_is_given_back_and_cuts_nobody() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut leases: Vec<_> = (0..5).map(|_| house.lease(0)).collect();
        futures::future::join_all(leases.iter_mut().map(take)).await;
        house.register.set_limits(Limits { size: 2, ..LIMITS });
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
        let placing = slot.wait_for_place().unwrap();
        assert!(slot.wait_for_place().is_err(), "one is enough");
        // Nothing is idle, so the next server that is given back makes room; it is not used again meanwhile.
        rich[0].give();
        assert_eq!(house.register.rows().iter().map(|row| row.sv_active).sum::<usize>(), 2);
        drop(placing);
        rich[1].give();
        // Something is idle now: it makes room at once.
        let placing = slot.wait_for_place().unwrap();
        settle().await;
        let rows = house.register.rows();
        assert_eq!(rows.iter().map(|row| row.sv_idle).sum::<usize>(), 0, "{rows:?}");
        drop((placing, slot));
        drop(rich);
        drop(other);
        // Who watches deadlines holds on to it until then.
        sleep(LIMITS.query_wait_timeout + Duration::from_secs(3)).await;
        assert_eq!(house.register.rows(), [], "pools that nobody uses are forgotten");
    });
}
