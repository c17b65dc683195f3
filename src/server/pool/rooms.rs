//! Rooms: what pools share places of. All pools of a listener share its places, those of one database or of one role may share others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Key;
use super::starving::Starving;

/// Whose places are meant: seen from one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// Those of the listener.
    Listener,
    /// Those of the pool's database.
    Database,
    /// Those of the pool's role.
    User,
}

impl Room {
    const ALL: [Self; 3] = [Self::Listener, Self::Database, Self::User];

    /// Is a pool in the room of another one?
    pub(super) fn holds(self, whose: &Key, pool: &Key) -> bool {
        match self {
            Self::Listener => true,
            Self::Database => whose.database == pool.database,
            Self::User => whose.user == pool.user,
        }
    }

    /// What tells it from others of its kind.
    pub(super) fn name(self, whose: &Key) -> &str {
        match self {
            Self::Listener => "",
            Self::Database => &whose.database,
            Self::User => &whose.user,
        }
    }
}

/// Who starves in each room of a listener.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rooms: HashMap<(Room, String), Weak<Starving>>,
    /// With so many, those that nobody is in any more are swept out.
    sweep_at: usize,
}

/// Fewer are not worth the look.
const SWEPT_MIN: usize = 64;

/// Who starves in the rooms that one pool is in.
#[derive(Debug)]
pub(super) struct Lines([Arc<Starving>; 3]);

impl Rooms {
    /// Those of a pool. A room lasts as long as anybody is in it.
    pub(super) fn of(&self, key: &Key) -> Lines {
        let Known { rooms, sweep_at } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= *sweep_at {
            rooms.retain(|_, room| room.strong_count() > 0);
            *sweep_at = rooms.len().saturating_mul(2).max(SWEPT_MIN);
        }
        Lines(Room::ALL.map(|room| {
            let known = rooms.entry((room, room.name(key).to_owned())).or_default();
            known.upgrade().unwrap_or_else(|| {
                let starving = Arc::default();
                *known = Arc::downgrade(&starving);
                starving
            })
        }))
    }
}

impl Lines {
    /// Who starves in that room.
    pub(super) fn of(&self, room: Room) -> &Starving {
        let [listener, database, user] = &self.0;
        match room {
            Room::Listener => listener,
            Room::Database => database,
            Room::User => user,
        }
    }

    /// The rooms where anybody starves.
    pub(super) fn hungry(&self) -> impl Iterator<Item = Room> {
        Room::ALL.into_iter().filter(|room| self.of(*room).oldest().is_some())
    }

    /// Does anybody?
    pub(super) fn is_anybody_hungry(&self) -> bool {
        self.hungry().next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str, database: &str) -> Key {
        Key { user: user.to_owned(), database: database.to_owned() }
    }

    #[test]
    fn pools_meet_where_they_have_something_in_common() {
        let rooms = Rooms::default();
        let (app, web) = (rooms.of(&key("app", "shop")), rooms.of(&key("web", "shop")));
        let other = rooms.of(&key("app", "blog"));
        app.of(Room::Database).join(7);
        let hungry = |lines: &Lines| lines.hungry().collect::<Vec<_>>();
        assert_eq!([&app, &web, &other].map(hungry), [vec![Room::Database], vec![Room::Database], vec![]]);
        app.of(Room::User).join(8);
        assert_eq!([&web, &other].map(hungry), [vec![Room::Database], vec![Room::User]]);
        app.of(Room::Listener).join(9);
        assert!([&app, &web, &other].iter().all(|lines| hungry(lines).contains(&Room::Listener)));
        assert!(Room::Database.holds(&key("app", "shop"), &key("web", "shop")));
        assert!(!Room::User.holds(&key("app", "shop"), &key("web", "shop")));
        // A database has no line of a role of the same name.
        assert_eq!(hungry(&rooms.of(&key("shop", "app"))), [Room::Listener]);
        drop((app, web, other));
        assert!(!rooms.of(&key("app", "shop")).is_anybody_hungry(), "nobody is left");
        for number in 0..1000 {
            drop(rooms.of(&key("app", &number.to_string())));
        }
        let left = rooms.0.lock().unwrap().rooms.len();
        assert!(left <= SWEPT_MIN + 3, "{left} rooms with nobody in them");
    }
}
