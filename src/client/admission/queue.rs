//! Who waits, in order.
//!
//! There is one line for each kind of want. When something comes free, the lines that may use it are walked from
//! their oldest waiter on, and each that fits now is let in. So whoever waits for the same thing is served in order of
//! arrival, and nobody is held up by others that wait for something else.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use tokio::sync::oneshot;

use crate::clock::Instant;

use super::permits::Slot;
use super::state::{Held, State, Want};

/// The lines. A proven client comes before those who only claim to be somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Client,
    Server,
    House,
    Login,
}

impl Line {
    /// All lines, in the order in which they are served.
    pub(super) const ALL: &'static [Self] = &[Self::Client, Self::Server, Self::House, Self::Login];

    fn of(want: Want) -> Self {
        match want {
            Want::Client(_) => Self::Client,
            Want::Server => Self::Server,
            Want::House(_) => Self::House,
            Want::Login(_) => Self::Login,
        }
    }

    /// The lines that may use what is given back.
    pub(super) fn freed_by(held: &Held) -> &'static [Self] {
        match held {
            Held::Lobby(_) => &[],
            Held::House(_) => &[Self::House],
            Held::Login { .. } => &[Self::Login],
            Held::Client(_) => &[Self::Client, Self::Login],
            Held::Server => &[Self::Server, Self::Login],
        }
    }

    /// The lines that may move on when somebody leaves the line: logins stand back for who waits in the first two.
    pub(super) fn moved_by(want: Want) -> &'static [Self] {
        match want {
            Want::Client(_) | Want::Server => &[Self::Login],
            Want::House(_) | Want::Login(_) => &[],
        }
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    line: Line,
    number: u64,
}

/// Somebody whose turn has come, to be told outside the mutex.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) held: Held,
    pub(super) tell: oneshot::Sender<Slot>,
}

/// The queue of one listener.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    client: BTreeMap<u64, Waiter>,
    server: BTreeMap<u64, Waiter>,
    house: BTreeMap<u64, Waiter>,
    login: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    want: Want,
    tell: oneshot::Sender<Slot>,
}

impl Queue {
    /// Everybody who waits at this listener.
    pub(super) fn len(&self) -> usize {
        Line::ALL.iter().map(|line| self.line(*line).len()).sum()
    }

    /// How many wait in one line.
    pub(super) fn waiting(&self, line: Line) -> usize {
        self.line(line).len()
    }

    pub(super) fn wants(&self) -> impl Iterator<Item = Want> {
        Line::ALL.iter().flat_map(|line| self.line(*line).values()).map(|waiter| waiter.want)
    }

    fn push(&mut self, want: Want, tell: oneshot::Sender<Slot>) -> Ticket {
        self.next = self.next.wrapping_add(1);
        let ticket = Ticket { line: Line::of(want), number: self.next };
        self.line_mut(ticket.line).insert(ticket.number, Waiter { want, tell });
        ticket
    }

    fn after(&self, line: Line, last: Option<u64>) -> Option<(u64, Want)> {
        let from = last.map_or(Unbounded, Excluded);
        self.line(line).range((from, Unbounded)).next().map(|(number, waiter)| (*number, waiter.want))
    }

    fn line(&self, line: Line) -> &BTreeMap<u64, Waiter> {
        match line {
            Line::Client => &self.client,
            Line::Server => &self.server,
            Line::House => &self.house,
            Line::Login => &self.login,
        }
    }

    fn line_mut(&mut self, line: Line) -> &mut BTreeMap<u64, Waiter> {
        match line {
            Line::Client => &mut self.client,
            Line::Server => &mut self.server,
            Line::House => &mut self.house,
            Line::Login => &mut self.login,
        }
    }
}

impl State {
    /// Puts a newcomer at the end of its line.
    pub(super) fn join_queue(&mut self, want: Want, tell: oneshot::Sender<Slot>) -> Ticket {
        self.count_waiter(want, |count| count.saturating_add(1));
        self.queue.push(want, tell)
    }

    /// Takes a waiter out; nothing happens where its turn has come already.
    pub(super) fn leave_queue(&mut self, ticket: Ticket) -> Option<oneshot::Sender<Slot>> {
        let Waiter { want, tell } = self.queue.line_mut(ticket.line).remove(&ticket.number)?;
        self.count_waiter(want, |count| count.saturating_sub(1));
        Some(tell)
    }

    /// Lets in everybody in these lines who fits now, oldest first.
    pub(super) fn serve(&mut self, lines: &[Line], now: Instant) -> Vec<Turn> {
        let mut turns = Vec::new();
        for line in lines {
            self.serve_line(*line, now, &mut turns);
        }
        turns
    }

    fn serve_line(&mut self, line: Line, now: Instant, turns: &mut Vec<Turn>) {
        let mut last = None;
        while self.line_can_move(line)
            && let Some((number, want)) = self.queue.after(line, last)
        {
            last = Some(number);
            let ticket = Ticket { line, number };
            match self.fits(want, now) {
                Ok(()) => turns.extend(self.give_turn(ticket, want, now)),
                // What it waited for is there, but now it stands before something that nobody waits for. The end of
                // its channel tells it.
                Err(block) if !block.may_wait(self.limits.over) => drop(self.leave_queue(ticket)),
                Err(_) => {}
            }
        }
    }

    fn give_turn(&mut self, ticket: Ticket, want: Want, now: Instant) -> Option<Turn> {
        let tell = self.leave_queue(ticket)?;
        let held = self.take(want, now).ok()?;
        Some(Turn { held, tell })
    }

    /// False where nobody in the line can fit: saves a walk along all of it.
    fn line_can_move(&self, line: Line) -> bool {
        match line {
            Line::House => self.clients < self.limits.max_clients,
            Line::Server => self.server_has_room(0),
            Line::Login => {
                self.logins < self.limits.max_logins && self.server_has_room(self.queue.waiting(Line::Server))
            }
            Line::Client => true,
        }
    }
}
