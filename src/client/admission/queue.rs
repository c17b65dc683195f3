//! Who waits, in order.
//!
//! There is one line for each kind of want. When something comes free, the lines that may use it are walked from
//! their oldest waiter on, and each that fits now is let in. So whoever waits for the same thing is served in order of
//! arrival, and nobody is held up by others that wait for something else.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use tokio::sync::oneshot;

use super::permits::Slot;
use super::servers::Party;
use super::want::{Held, Want};

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

    const fn of(want: &Want) -> Self {
        match want {
            Want::Client(_) => Self::Client,
            Want::Server(_) => Self::Server,
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
            Held::Server(_) => &[Self::Server, Self::Login],
        }
    }

    /// The lines that may move on when somebody leaves the line: logins stand back for who waits in the first two.
    pub(super) const fn moved_by(want: &Want) -> &'static [Self] {
        match want {
            Want::Client(_) | Want::Server(_) => &[Self::Login],
            Want::House(_) | Want::Login(_) => &[],
        }
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) line: Line,
    pub(super) number: u64,
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

/// Somebody in a line.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) want: Want,
    pub(super) tell: oneshot::Sender<Slot>,
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

    pub(super) fn wants(&self) -> impl Iterator<Item = &Want> {
        Line::ALL.iter().flat_map(|line| self.line(*line).values()).map(|waiter| &waiter.want)
    }

    /// Whose server connections are waited for.
    pub(super) fn parties(&self) -> impl Iterator<Item = &Party> {
        self.server.values().filter_map(|waiter| match &waiter.want {
            Want::Server(party) => Some(&**party),
            _ => None,
        })
    }

    /// Puts a waiter at the end of its line.
    pub(super) fn push(&mut self, want: Want, tell: oneshot::Sender<Slot>) -> Ticket {
        self.next = self.next.wrapping_add(1);
        let ticket = Ticket { line: Line::of(&want), number: self.next };
        self.line_mut(ticket.line).insert(ticket.number, Waiter { want, tell });
        ticket
    }

    /// The next in line behind `last`.
    pub(super) fn after(&self, line: Line, last: Option<u64>) -> Option<(u64, Want)> {
        let from = last.map_or(Unbounded, Excluded);
        self.line(line).range((from, Unbounded)).next().map(|(number, waiter)| (*number, waiter.want.clone()))
    }

    fn line(&self, line: Line) -> &BTreeMap<u64, Waiter> {
        match line {
            Line::Client => &self.client,
            Line::Server => &self.server,
            Line::House => &self.house,
            Line::Login => &self.login,
        }
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        self.line_mut(ticket.line).remove(&ticket.number)
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
