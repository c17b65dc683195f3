//! How many connections a server has room for.

/// What a server says of its connection slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// `max_connections`.
    pub all: usize,
    /// `superuser_reserved_connections`.
    pub superuser: usize,
    /// `reserved_connections`, from PostgreSQL 16 on; 0 before.
    pub reserved: usize,
}

/// What may be used of it: all but the reserved slots and five more. At least one.
pub fn learnt(slots: Slots) -> usize {
    let kept = slots.superuser.saturating_add(slots.reserved).saturating_add(SPARE);
    slots.all.saturating_sub(kept).max(1)
}

/// For the monitor, for cancels and for an operator who isn't a superuser.
const SPARE: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_slots_and_five_more_stay_free() {
        let table = [((100, 3, 0), 92), ((115, 3, 2), 105), ((9, 3, 0), 1), ((3, 3, 3), 1)];
        for ((all, superuser, reserved), expected) in table {
            assert_eq!(learnt(Slots { all, superuser, reserved }), expected);
        }
    }
}
