//! Places for whoever has no pool: a session with a server of its own, or a bound that has become lower.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::Key;
use super::register::Register;
use super::rooms::{Lines, Room};
use crate::clock;

/// How often pools are asked for room.
pub const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Wants the place of a server of some pool, as a pool does that has none: an idle one's, else the next one's that is given back and that
/// its pool can do without. For as long as this lives.
#[derive(Debug)]
pub struct Outsider<A: Debug + Send + 'static> {
    register: Arc<Register<A>>,
    whose: Key,
    lines: Lines,
    /// Where no pool has had a server idle, and since when.
    starves: Option<(Room, u64)>,
}

impl<A: Debug + Send + 'static> Outsider<A> {
    /// Has asked nobody yet. `whose`: its role and database.
    pub fn new(register: Arc<Register<A>>, whose: Key) -> Self {
        let lines = register.rooms.of(&whose);
        Self { register, whose, lines, starves: None }
    }

    /// Asks whoever is in that room, and once more after [`ASK_AGAIN`]: something may have become idle meanwhile.
    pub fn ask(&mut self, room: Room) {
        let stays = self.starves.is_some_and(|(before, _)| before == room);
        let found = self.register.evict(room, &self.whose, None);
        if found || !stays {
            self.leave();
        }
        if !found && !stays {
            let since = self.register.micros(clock::now());
            self.lines.of(room).join(since);
            self.starves = Some((room, since));
        }
    }

    fn leave(&mut self) {
        if let Some((room, since)) = self.starves.take() {
            self.lines.of(room).leave(since);
        }
    }
}

impl<A: Debug + Send + 'static> Drop for Outsider<A> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The servers that a listener, a database or a role has beyond its bound, since that has become lower: pools give them up.
#[derive(Debug)]
pub struct Excess<A: Debug + Send + 'static> {
    register: Arc<Register<A>>,
    outsiders: HashMap<(Room, String), Vec<Outsider<A>>>,
}

impl<A: Debug + Send + 'static> Excess<A> {
    /// None yet.
    pub fn new(register: Arc<Register<A>>) -> Self {
        Self { register, outsiders: HashMap::new() }
    }

    /// So many there are now, in the rooms of these pools and nowhere else: asks for each of them. To be told once in [`ASK_AGAIN`].
    pub fn is(&mut self, over: &[(Room, Key, usize)]) {
        let mut before = std::mem::take(&mut self.outsiders);
        for (room, whose, over) in over {
            let at = (*room, room.name(whose).to_owned());
            let mut outsiders = before.remove(&at).unwrap_or_default();
            outsiders.resize_with(*over, || Outsider::new(Arc::clone(&self.register), whose.clone()));
            outsiders.iter_mut().for_each(|outsider| outsider.ask(*room));
            self.outsiders.insert(at, outsiders);
        }
    }
}
