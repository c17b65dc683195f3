//! One worker's pools of one listener, and the task that keeps them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rapidhash::fast::GlobalState;
use tokio::task::spawn_local;

use super::local::Away;
use super::mail::Note;
use super::{Key, Make, Member, Pool, Register};

/// One worker's pools of one listener.
#[derive(Debug)]
pub struct Pools<M: Make> {
    register: Arc<Register<Away<M>>>,
    worker: usize,
    pools: RefCell<HashMap<Key, Rc<Pool<M>>, GlobalState>>,
    kept: Cell<bool>,
}

impl<M: Make> Pools<M> {
    /// Without a pool yet. `worker` counts from 0, and is below the register's number of workers.
    pub fn new(register: Arc<Register<Away<M>>>, worker: usize) -> Rc<Self> {
        Rc::new(Self { register, worker, pools: RefCell::default(), kept: Cell::new(false) })
    }

    /// The pool of that key; where there is none here yet, `make` says how its servers are made. Called on the worker's runtime.
    pub fn pool(self: &Rc<Self>, key: &Key, make: impl FnOnce() -> M) -> Rc<Pool<M>> {
        if !self.kept.replace(true) {
            spawn_local(Rc::clone(self).keep());
        }
        if let Some(pool) = self.find(key) {
            return pool;
        }
        let pool = Pool::new(self.register.pool(key), self.worker, make());
        self.pools.borrow_mut().insert(key.clone(), Rc::clone(&pool));
        pool
    }

    fn find(&self, key: &Key) -> Option<Rc<Pool<M>>> {
        self.pools.borrow().get(key).map(Rc::clone)
    }

    async fn keep(self: Rc<Self>) {
        let Some(mut notes) = self.register.post.get(self.worker).and_then(super::mail::Post::take) else { return };
        self.tick();
        while let Some(note) = notes.recv().await {
            self.read(note);
        }
    }

    fn read(&self, note: Note<Away<M>>) {
        match note {
            Note::Server(key, away, cause) => match self.find(&key) {
                Some(pool) => pool.arrived(away, cause),
                None => drop(M::Server::arrive(away).map(Member::close)),
            },
            Note::Sorry(key) => {
                if let Some(pool) = self.find(&key) {
                    pool.answered();
                    pool.grow();
                }
            }
            Note::Please(key, worker) => match self.find(&key) {
                Some(pool) => pool.asked(worker),
                None => self.register.send(worker, Note::Sorry(key)),
            },
            Note::Grow(key) => drop(self.find(&key).map(|pool| pool.grow())),
            Note::Look(key) => drop(self.find(&key).map(|pool| pool.look())),
            Note::Evict(key) => drop(self.find(&key).map(|pool| pool.evict())),
            Note::Tick => self.tick(),
        }
    }

    fn tick(&self) {
        let all: Vec<_> = self.pools.borrow().values().map(Rc::clone).collect();
        all.iter().for_each(|pool| pool.tick());
        drop(all);
        let mut gone = Vec::new();
        self.pools.borrow_mut().retain(|_, pool| {
            let unused = pool.is_unused();
            if unused {
                gone.push(Rc::clone(pool));
            }
            !unused
        });
        gone.into_iter().for_each(|pool| pool.end());
    }
}
