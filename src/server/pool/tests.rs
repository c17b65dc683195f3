//! Pools with servers that are mere numbers, on a clock that stands still.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::slot::Placing;
use super::{Held, Key, Lease, Limits, Make, Member, NotMade, Pool, Pools, Register, Slot, Standing, Unserved};
use crate::clock::{self, Instant};

#[path = "crowd_tests.rs"]
mod crowd;

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
/// How often others are asked for a place.
const AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Fake {
    number: u32,
    slot: Slot,
    broken: Rc<Cell<bool>>,
    expires: Instant,
    /// Its place of the listener, where these are counted.
    place: Option<OwnedSemaphorePermit>,
}

/// A fake on its way.
type Away = (u32, Slot, Instant, Option<OwnedSemaphorePermit>);

impl Member for Fake {
    type Away = Away;

    fn is_sound(&mut self) -> bool {
        !self.broken.get()
    }

    fn is_wanted(&self, now: Instant) -> bool {
        self.expires > now
    }

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    fn leave(self: Box<Self>) -> Option<Self::Away> {
        Some((self.number, self.slot, self.expires, self.place))
    }

    fn arrive((number, slot, expires, place): Self::Away) -> Option<Box<Self>> {
        Some(Box::new(Self { number, slot, broken: Rc::default(), expires, place }))
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
    /// Places of the listener, where these are counted.
    places: Option<Arc<Semaphore>>,
    broken: Rc<Cell<bool>>,
}

#[derive(Debug, Clone, Default)]
struct Maker(Rc<Works>);

impl Make for Maker {
    type Server = Fake;

    async fn make(&self, mut slot: Slot) -> Result<Box<Fake>, NotMade> {
        let works = &self.0;
        let place = self.place(&slot).await?;
        slot.has_place();
        if !slot.is_due() {
            return Err(NotMade::InLine);
        }
        works.at_once.set(works.at_once.get() + 1);
        works.at_once_most.set(works.at_once_most.get().max(works.at_once.get()));
        sleep(MAKING).await;
        works.at_once.set(works.at_once.get() - 1);
        if let Some(why) = works.fails.borrow().clone() {
            return Err(why);
        }
        works.made.set(works.made.get() + 1);
        let expires = clock::now() + Duration::from_secs(3600);
        Ok(Box::new(Fake { number: works.made.get(), slot, broken: Rc::clone(&works.broken), expires, place }))
    }
}

impl Maker {
    /// A place of the listener: first come, first served.
    async fn place(&self, slot: &Slot) -> Result<Option<OwnedSemaphorePermit>, NotMade> {
        let Some(places) = &self.0.places else { return Ok(None) };
        let mut place = pin!(Arc::clone(places).acquire_owned());
        let mut placing = None;
        loop {
            match timeout(if placing.is_none() { Duration::ZERO } else { AGAIN }, place.as_mut()).await {
                Ok(place) if placing.as_ref().is_none_or(Placing::is_next) => return Ok(place.ok()),
                Ok(_) => return Err(NotMade::InLine),
                Err(_) => match &mut placing {
                    None => placing = Some(slot.wait_for_place().map_err(|_| NotMade::InLine)?),
                    Some(placing) => placing.ask_again().map_err(|_| NotMade::InLine)?,
                },
            }
        }
    }
}

fn key(database: &str) -> Key {
    Key { user: "app".to_owned(), database: database.to_owned() }
}

struct House {
    register: Arc<Register<Away>>,
    workers: Vec<Rc<Pools<Maker>>>,
    maker: Maker,
}

impl House {
    fn new(limits: Limits, workers: usize) -> Self {
        let register = Register::new(limits, workers);
        spawn_local(Register::keep_time(Arc::downgrade(&register)));
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
        let [active, idle, login] = [Standing::Active, Standing::Idle, Standing::Login].map(|so| count(&row, so));
        [row.cl_waiting, active, idle, login]
    }
}

fn count(row: &super::PoolRow, standing: Standing) -> usize {
    row.servers.iter().filter(|server| server.standing == standing).count()
}

async fn take(lease: &mut Lease<Maker>) -> Result<u32, Unserved> {
    poll_fn(|cx: &mut Context<'_>| lease.poll_take(cx, |_| true)).await?;
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
        assert!(!lease.try_take(|_| true));
        for _ in 0..3 {
            assert_eq!(take(&mut lease).await, Ok(1));
            assert_eq!(house.counts(), [0, 1, 0, 0]);
            lease.give();
            assert_eq!(house.counts(), [0, 0, 1, 0]);
        }
        assert!(lease.try_take(|_| true));
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

#[test]
fn a_larger_size_serves_who_waits() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 2);
        let (mut first, mut second) = (house.lease(0), house.lease(1));
        assert_eq!(take(&mut first).await, Ok(1));
        let waiting = spawn_local(async move { take(&mut second).await });
        settle().await;
        house.register.set_limits(LIMITS);
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
        let mut waiter = Lease::new(Rc::clone(&other));
        assert!(futures::poll!(pin!(take(&mut waiter))).is_pending());
        let placing = slot.wait_for_place().unwrap();
        assert!(slot.wait_for_place().is_err(), "one is enough");
        // Nothing is idle, so the next server that is given back makes room; it is not used again meanwhile.
        rich[0].give();
        assert_eq!(house.register.rows().iter().map(|row| count(row, Standing::Active)).sum::<usize>(), 2);
        drop(placing);
        rich[1].give();
        // Something is idle now: it makes room at once.
        let placing = slot.wait_for_place().unwrap();
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

#[test]
fn who_waits_hears_of_a_larger_size() {
    run(async {
        let house = House::new(Limits { size: 1, ..LIMITS }, 1);
        let (mut busy, mut waiting) = (house.lease(0), house.lease(0));
        take(&mut busy).await.unwrap();
        let mut waits = std::pin::pin!(take(&mut waiting));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        house.register.set_limits(Limits { size: 2, ..LIMITS });
        let begin = clock::now();
        assert_eq!(waits.await, Ok(2));
        assert!(begin.elapsed() < MAKING * 2);
        busy.give();
    });
}
