//! Pools with servers that are mere numbers, on a clock that stands still.

mod crowd;
mod making;
mod pauses;
mod rooms;
mod sizes;
mod waiting;

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
use super::{
    Bounds, Held, Key, Lease, Limits, Make, Member, NotMade, Pool, Pools, Register, Room, Slot, Standing, Unserved,
};
use crate::clock::{self, Instant};

const LIMITS: Limits = Limits {
    size: 20,
    min: 0,
    guaranteed: 0,
    queue_length: 1000,
    query_wait_timeout: Duration::from_secs(30),
    idle_timeout: Duration::from_secs(600),
    lifetime: Duration::from_secs(3600),
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
    /// How long it takes to close.
    closing: Duration,
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
        Some(Box::new(Self { number, slot, broken: Rc::default(), expires, place, closing: Duration::ZERO }))
    }

    fn close(mut self: Box<Self>) {
        self.slot.closes();
        if !self.closing.is_zero() {
            spawn_local(async move {
                sleep(self.closing).await;
                drop(self);
            });
        }
    }
}

/// What the makers of a test have done, and how they do.
#[derive(Debug, Default)]
struct Works {
    made: Cell<u32>,
    at_once: Cell<u32>,
    at_once_most: Cell<u32>,
    fails: RefCell<Option<NotMade>>,
    /// Places, where these are counted.
    places: Option<Arc<Semaphore>>,
    /// Whose places they are; none: the listener's.
    room: Option<Room>,
    broken: Rc<Cell<bool>>,
    /// How long each takes to close.
    closing: Cell<Duration>,
    /// How often what was learnt was to be forgotten.
    forgot: Cell<u32>,
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
        let (broken, closing) = (Rc::clone(&works.broken), works.closing.get());
        Ok(Box::new(Fake { number: works.made.get(), slot, broken, expires, place, closing }))
    }

    fn forget(&self) {
        self.0.forgot.set(self.0.forgot.get() + 1);
    }
}

impl Maker {
    /// A place: first come, first served.
    async fn place(&self, slot: &Slot) -> Result<Option<OwnedSemaphorePermit>, NotMade> {
        let Some(places) = &self.0.places else { return Ok(None) };
        let mut place = pin!(Arc::clone(places).acquire_owned());
        let room = Some(self.0.room.unwrap_or(Room::Listener));
        let mut placing = None;
        loop {
            match timeout(if placing.is_none() { Duration::ZERO } else { AGAIN }, place.as_mut()).await {
                Ok(place) if placing.as_ref().is_none_or(Placing::is_next) => return Ok(place.ok()),
                Ok(_) => return Err(NotMade::InLine),
                Err(_) => match &mut placing {
                    None => placing = Some(slot.wait_for_place(room).map_err(|_| NotMade::InLine)?),
                    Some(placing) => placing.ask_again(room).map_err(|_| NotMade::InLine)?,
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
    fn new(bounds: impl Bounds + 'static, workers: usize) -> Self {
        let register = Register::new(bounds, workers);
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
