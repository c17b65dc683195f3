//! Whose turn it is: the queue's side of the state.

use tokio::sync::oneshot;

use crate::clock::Instant;

use super::permits::Slot;
use super::queue::{Line, Ticket, Turn, Waiter};
use super::servers::Before;
use super::state::State;
use super::want::Want;

impl State {
    /// Puts a newcomer at the end of its line.
    pub(super) fn join_queue(&mut self, want: Want, tell: oneshot::Sender<Slot>) -> Ticket {
        self.count_waiter(&want, |count| count.saturating_add(1));
        self.queue.push(want, tell)
    }

    /// Takes a waiter out; nothing happens where its turn has come already.
    pub(super) fn leave_queue(&mut self, ticket: Ticket) -> Option<oneshot::Sender<Slot>> {
        let Waiter { want, tell } = self.queue.remove(ticket)?;
        self.count_waiter(&want, |count| count.saturating_sub(1));
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
            match self.fits(&want, now) {
                Ok(()) => turns.extend(self.give_turn(ticket, &want, now)),
                // What it waited for is there, but now it stands before something that nobody waits for. The end of
                // its channel tells it.
                Err(block) if !self.limits.let_wait_for(&block) => drop(self.leave_queue(ticket)),
                Err(_) => {}
            }
        }
    }

    fn give_turn(&mut self, ticket: Ticket, want: &Want, now: Instant) -> Option<Turn> {
        let tell = self.leave_queue(ticket)?;
        let held = self.take(want, now).ok()?;
        Some(Turn { held, tell })
    }

    /// False where nobody in the line can fit: saves a walk along all of it.
    fn line_can_move(&self, line: Line) -> bool {
        match line {
            Line::House => self.clients < self.limits.max_clients,
            Line::Server => self.server_has_room(Before::Holders).is_ok(),
            Line::Login => self.logins < self.limits.max_logins && self.logins_find_servers(),
            Line::Client => true,
        }
    }
}
