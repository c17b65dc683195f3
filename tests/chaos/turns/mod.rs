//! What a client does at a time. Each turn checks that every byte of its replies is its own.

mod bulk;
mod cancel;
mod extended;
mod mine;
mod simple;
mod state;
mod transaction;

use crate::client::Client;
use crate::conn::Fault;
use crate::seed::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Simple,
    Several,
    Fails,
    Unnamed,
    Pipeline,
    Flushed,
    Portal,
    Transaction,
    Aborted,
    Cursor,
    Local,
    CopyIn,
    CopyOut,
    Slowly,
    Cancel,
    Rests,
    Mine,
    Prepared,
    Settings,
    Temporary,
    Locks,
}

/// How often each is taken, beside the others.
const TURNS: [(Turn, usize); 21] = [
    (Turn::Simple, 10),
    (Turn::Several, 4),
    (Turn::Fails, 4),
    (Turn::Unnamed, 8),
    (Turn::Pipeline, 6),
    (Turn::Flushed, 3),
    (Turn::Portal, 3),
    (Turn::Transaction, 8),
    (Turn::Aborted, 5),
    (Turn::Cursor, 3),
    (Turn::Local, 4),
    (Turn::CopyIn, 3),
    (Turn::CopyOut, 2),
    (Turn::Slowly, 1),
    (Turn::Cancel, 3),
    (Turn::Rests, 2),
    (Turn::Mine, 6),
    // These leave something in the session.
    (Turn::Prepared, 6),
    (Turn::Settings, 4),
    (Turn::Temporary, 3),
    (Turn::Locks, 3),
];

pub(crate) fn pick(dice: &mut Dice) -> Turn {
    let mut left = dice.below(TURNS.iter().map(|(_, weight)| weight).sum());
    for (turn, weight) in &TURNS {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return *turn,
        }
    }
    Turn::Simple
}

pub(crate) async fn play(turn: Turn, client: &mut Client) -> Result<(), Fault> {
    match turn {
        Turn::Simple => simple::one(client).await,
        Turn::Several => simple::several(client).await,
        Turn::Fails => simple::fails(client).await,
        Turn::Unnamed => extended::unnamed(client).await,
        Turn::Pipeline => extended::pipeline(client).await,
        Turn::Flushed => extended::flushed(client).await,
        Turn::Portal => extended::portal(client).await,
        Turn::Prepared => extended::prepared(client).await,
        Turn::Transaction => transaction::whole(client).await,
        Turn::Aborted => transaction::aborted(client).await,
        Turn::Cursor => transaction::cursor(client).await,
        Turn::Local => transaction::local(client).await,
        Turn::CopyIn => bulk::copy_in(client).await,
        Turn::CopyOut => bulk::copy_out(client).await,
        Turn::Slowly => bulk::slowly(client).await,
        Turn::Cancel => cancel::turn(client).await,
        Turn::Rests => simple::rests(client).await,
        Turn::Mine => mine::look(client).await,
        Turn::Settings => state::settings(client).await,
        Turn::Temporary => state::temporary(client).await,
        Turn::Locks => state::locks(client).await,
    }
}
