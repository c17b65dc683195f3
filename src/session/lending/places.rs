//! Places for server connections: admission counts them, and pools make room where there is none.

use crate::client::admission::{Admission, Party, Surplus};
use crate::guard::caps;
use crate::server::pool::{Key, Room};

/// Where there is no place for another server connection of this party now; `None`: there is one.
pub fn full_room(admission: &Admission, party: &Party) -> Option<Room> {
    admission.server_hindrance(party).map(|over| room_of(over.rule))
}

/// Whose servers a party's are among.
pub fn key_of(party: &Party) -> Key {
    Key { user: party.role.to_string(), database: party.database.to_string() }
}

/// The servers beyond their caps, as pools are told of them.
pub fn excess(surpluses: &[Surplus]) -> Vec<(Room, Key, usize)> {
    surpluses.iter().map(|surplus| (room_of(surplus.rule), key_of(&surplus.party), surplus.over)).collect()
}

fn room_of(rule: &str) -> Room {
    match rule {
        caps::MAX_DB_CONNECTIONS => Room::Database,
        caps::MAX_USER_CONNECTIONS => Room::User,
        _ => Room::Listener,
    }
}
