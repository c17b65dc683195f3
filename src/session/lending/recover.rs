//! Leads the server of a session that has ended back to where it is clean, or closes it.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::borrowed::Borrowed;
use crate::server::pool::Standing;
use crate::session::cancel::{CANCEL_AGAIN, CANCELS_MAX};
use crate::session::end::End;
use crate::session::relay::{Behind, Left, Source, Whose};
use crate::wire::pg::code::server;
use crate::wire::pg::{errand, frame, reply};
use crate::wire::{Errand, Needs, Transaction};

/// How long a ROLLBACK may take.
const ROLLBACK: Duration = Duration::from_secs(5);
/// How long what is ours to do at a server may take.
const OURS: Duration = Duration::from_secs(5);
/// How often a server that finishes a client's last work is looked after.
const LOOK: Duration = Duration::from_secs(1);

/// Sees to the server that a session leaves behind. `patient`: may the server still finish what the client left to it?
pub async fn recover(mut borrowed: Borrowed, end: End, left: Left, behind: Behind, patient: impl Fn() -> bool) {
    borrowed.translator.forget_again();
    let busy = !borrowed.own.is_nothing();
    let gone = matches!(end, End::ServerGone | End::ServerMalformed(_));
    let silence = borrowed.silence();
    let led = async {
        match left {
            _ if gone => None,
            _ if busy => ended(&mut borrowed).await,
            _ if !borrowed.is_here() => None,
            Left::Clean => Some(Transaction::None),
            Left::Transaction => Some(Transaction::Open),
            Left::Working if end == End::ClientQuit => finish(&mut borrowed, behind, patient).await,
            Left::Working => stop(&mut borrowed, behind).await,
            Left::Unclear => {
                stop_for_good(&mut borrowed).await;
                None
            }
        }
    };
    // One that does not answer would be asked to stop for minutes, while others wait for its place.
    let at = tokio::select! {
        biased;
        at = led => at,
        () = silence => None,
    };
    if let Some(server) = borrowed.server().filter(|_| at.is_some()) {
        server.slot.stands(Standing::Tested);
    }
    let clean = match at {
        Some(Transaction::None) => true,
        Some(_) => roll_back(&mut borrowed).await,
        None => false,
    };
    // Nobody knows what the server has prepared where a reply was not told.
    let clean = clean && borrowed.is_settled() && wash(&mut borrowed).await;
    if clean { borrowed.release() } else { borrowed.close() }
}

/// Waits for the end of what the client left to the server: it said goodbye behind it, so it is to be carried out.
async fn finish(borrowed: &mut Borrowed, mut behind: Behind, patient: impl Fn() -> bool) -> Option<Transaction> {
    let mut end = pin!(boundary(borrowed, &mut behind));
    loop {
        match timeout(LOOK, end.as_mut()).await {
            Ok(transaction) => return transaction,
            Err(_) if patient() => {}
            Err(_) => return None,
        }
    }
}

/// Stops what nobody waits for any more.
async fn stop(borrowed: &mut Borrowed, mut behind: Behind) -> Option<Transaction> {
    let target = std::sync::Arc::clone(borrowed.target());
    let mut end = pin!(boundary(borrowed, &mut behind));
    for _ in 0..CANCELS_MAX {
        target.stop().await;
        if let Ok(transaction) = timeout(CANCEL_AGAIN, end.as_mut()).await {
            return transaction;
        }
    }
    None
}

/// The same where it can't be led back. What runs there must not run on for nobody, beside whoever gets its place: one stop may not be
/// enough, and a server is gone once it is through and hears no more.
async fn stop_for_good(borrowed: &mut Borrowed) {
    let target = std::sync::Arc::clone(borrowed.target());
    target.stop().await;
    let Some(stream) = borrowed.stream() else { return };
    let mut gone = pin!(async {
        let mut nobodys = BytesMut::new();
        if stream.shutdown().await.is_ok() {
            while stream.read_buf(&mut nobodys).await.is_ok_and(|count| count > 0) {
                nobodys.clear();
            }
        }
    });
    for _ in 1..CANCELS_MAX {
        if timeout(CANCEL_AGAIN, gone.as_mut()).await.is_ok() {
            return;
        }
        target.stop().await;
    }
}

/// What was ours to do there when the session ended is done first. `None`: no server is left.
async fn ended(borrowed: &mut Borrowed) -> Option<Transaction> {
    let done = timeout(OURS, poll_fn(|cx| borrowed.poll_work(cx))).await;
    (done.is_ok() && borrowed.is_here()).then_some(Transaction::None)
}

/// Makes a server fit for anybody in which the session may have left something. False where that fails.
async fn wash(borrowed: &mut Borrowed) -> bool {
    let tidy = borrowed.kept.gathered.is_none() && borrowed.kept.pins.is_none();
    borrowed.kept.gathered.clear();
    let washed = tidy || timeout(OURS, borrowed.wash()).await == Ok(true);
    borrowed.kept.lose();
    washed
}

async fn roll_back(borrowed: &mut Borrowed) -> bool {
    let mut bytes = BytesMut::new();
    errand::write(Errand::Rollback, &mut bytes, |_| {});
    borrowed.sent(&bytes);
    let mut behind = Behind::default();
    let rolled_back = async {
        borrowed.stream()?.write_all(&bytes).await.ok()?;
        boundary(borrowed, &mut behind).await
    };
    timeout(ROLLBACK, rolled_back).await == Ok(Some(Transaction::None))
}

/// Reads up to the next boundary and says how the transaction stands there. `None`: there will be none.
async fn boundary(borrowed: &mut Borrowed, behind: &mut Behind) -> Option<Transaction> {
    loop {
        match next(borrowed, behind)? {
            Next::Boundary(transaction) => return Some(transaction),
            Next::Other => {}
            Next::Incomplete => {
                if borrowed.stream()?.read_buf(&mut behind.held).await.ok()? == 0 {
                    return None;
                }
            }
        }
    }
}

/// What comes next of what a server still sends.
enum Next {
    Boundary(Transaction),
    /// A message that nobody is told of.
    Other,
    /// More has to be read.
    Incomplete,
}

/// `None`: the server is of no use any more.
fn next(borrowed: &mut Borrowed, behind: &mut Behind) -> Option<Next> {
    let passed = usize::try_from(behind.pending).unwrap_or(usize::MAX).min(behind.held.len());
    behind.held.advance(passed);
    behind.pending = behind.pending.saturating_sub(passed as u64);
    if behind.pending > 0 {
        return Some(Next::Incomplete);
    }
    let Some(head) = frame::server_head(&behind.held).ok()? else { return Some(Next::Incomplete) };
    let held = behind.held.len() as u64;
    if let Needs::Prefix(bytes) = reply::needs(head)
        && held < bytes
    {
        return Some(Next::Incomplete);
    }
    let size = usize::try_from(head.size).unwrap_or(usize::MAX);
    let message = behind.held.get(..size).unwrap_or(&behind.held);
    let mut unread = BytesMut::new();
    let whose = borrowed.answers(head, message, &mut unread).ok()?;
    match head.code {
        // What came behind it is nobody's, and maybe half a message.
        server::READY if whose != Whose::Ours && held > head.size => None,
        server::READY if whose != Whose::Ours => reply::status(message).map(Next::Boundary),
        // It waits for data that nobody sends.
        server::COPY_IN | server::COPY_BOTH => None,
        _ => {
            behind.pending = head.size;
            Some(Next::Other)
        }
    }
}
