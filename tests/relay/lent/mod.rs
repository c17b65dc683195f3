//! Sessions whose servers are lent: when one is taken, when it goes back, and what happens while there is none.

mod lost;
mod waiting;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use floodwall::session::end::End;
use floodwall::session::overseer::Owes;
use floodwall::session::relay::{Course, Left, Relay, Remains, Source, Whose, lent};
use floodwall::wire::pg::Pg;
use floodwall::wire::{Head, Malformed, Outgoing, Refusal, Transaction};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::steps::{done, row};
use crate::support::{
    Book, Cancel, Puppet, canceled, expect, expect_nothing, flush, message, parse, put, query, ran, ready, receive,
    refusal, sync,
};

/// What the servers have prepared.
#[derive(Debug, Default, PartialEq, Eq)]
enum Prepared {
    #[default]
    Nothing,
    /// Every text: a Parse is answered in the server's place.
    All,
    /// What the group before says: a Parse waits for its end.
    Undecided,
}

/// Servers that may be lent.
#[derive(Debug, Default)]
struct Stock {
    free: Option<DuplexStream>,
    /// The next who waits is refused.
    refusal: Option<Refusal>,
    waker: Option<Waker>,
    waiting: bool,
    given_back: usize,
    /// Something of the client's stands at the server alone.
    pinned: bool,
    lost: usize,
    prepared: Prepared,
    /// The code of the client's last message.
    last: u8,
    /// Groups that have ended and are not answered.
    owed: usize,
}

impl Stock {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Debug)]
struct Shelf {
    stock: Rc<RefCell<Stock>>,
    server: Option<DuplexStream>,
}

impl Source for Shelf {
    type Stream = DuplexStream;

    const LENT: bool = true;

    fn stream(&mut self) -> Option<&mut DuplexStream> {
        self.server.as_mut()
    }

    fn is_here(&self) -> bool {
        self.server.is_some()
    }

    fn try_lease(&mut self) -> bool {
        self.server = self.stock.borrow_mut().free.take();
        self.server.is_some()
    }

    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        let mut stock = self.stock.borrow_mut();
        stock.waiting = false;
        if let Some(refusal) = stock.refusal.take() {
            return Poll::Ready(Err(refusal));
        }
        self.server = stock.free.take();
        if self.server.is_some() {
            return Poll::Ready(Ok(()));
        }
        stock.waiting = true;
        stock.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn asks(&mut self, head: Head, _frame: &[u8], out: &mut Outgoing<'_>) -> Result<Course, Refusal> {
        let mut stock = self.stock.borrow_mut();
        stock.last = head.code;
        stock.owed += usize::from(head.code == b'S');
        match stock.prepared {
            Prepared::All if head.code == b'P' => {
                out.client.extend_from_slice(&message(b'1', b""));
                Ok(Course::Withheld)
            }
            Prepared::Undecided if head.code == b'P' && stock.owed > 0 => Ok(Course::Later),
            _ => Ok(Course::AsIs),
        }
    }

    fn answers(&mut self, head: Head, _frame: &[u8], _client: &mut BytesMut) -> Result<Whose, Malformed> {
        let mut stock = self.stock.borrow_mut();
        stock.owed -= usize::from(head.code == b'Z' && stock.owed > 0);
        Ok(Whose::Client)
    }

    fn owes(&self) -> bool {
        self.stock.borrow().owed > 0
    }

    fn ends_a_group(&self) -> bool {
        self.stock.borrow().last == b'S'
    }

    fn is_expendable(&self) -> bool {
        !self.stock.borrow().pinned
    }

    fn lost(&mut self, _refusal: &Refusal) {
        self.server = None;
        self.stock.borrow_mut().lost += 1;
    }

    fn give_back(&mut self) {
        let mut stock = self.stock.borrow_mut();
        stock.free = self.server.take();
        stock.given_back += 1;
    }
}

struct Scene {
    client: DuplexStream,
    server: DuplexStream,
    stock: Rc<RefCell<Stock>>,
    book: Rc<RefCell<Book>>,
    relay: JoinHandle<Remains<DuplexStream, Shelf, Puppet>>,
}

impl Scene {
    fn given_back(&self) -> usize {
        self.stock.borrow().given_back
    }

    /// Somebody else has the server.
    fn lend_away(&self) -> DuplexStream {
        self.stock.borrow_mut().free.take().expect("the server is lent")
    }

    fn bring_back(&self, server: DuplexStream) {
        let mut stock = self.stock.borrow_mut();
        stock.free = Some(server);
        stock.wake();
    }

    /// The server at hand ends; another one is free.
    async fn replace(&mut self) {
        let (server, far) = duplex(4096);
        self.server = server;
        self.bring_back(far);
    }

    async fn ask(&mut self, bytes: &[u8]) {
        put(&mut self.client, bytes).await;
        expect(&mut self.server, bytes).await;
    }

    async fn answer(&mut self, bytes: &[u8]) {
        put(&mut self.server, bytes).await;
        expect(&mut self.client, bytes).await;
    }

    async fn expect_usable(&mut self) {
        let before = self.given_back();
        self.ask(&query("SELECT 1")).await;
        self.answer(&[done("SELECT 1"), ready(b'I')].concat()).await;
        assert_eq!(self.given_back(), before + 1);
    }

    async fn expect_refused(&mut self, rule: &str) {
        let (code, body) = receive(&mut self.client).await;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(code == b'E' && text.contains(&format!("FLOODWALL[rule={rule}]")), "{} {text}", char::from(code));
    }
}

fn with_shelf<F: Future<Output = ()>>(test: impl FnOnce(Scene) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (client, client_far) = duplex(4096);
        let (server, server_far) = duplex(4096);
        let puppet = Puppet::default();
        let book = Rc::clone(&puppet.0);
        let stock = Rc::new(RefCell::new(Stock { free: Some(server_far), ..Stock::default() }));
        let shelf = Shelf { stock: Rc::clone(&stock), server: None };
        let relay = Relay::<Pg, _, _, _>::new(client_far, shelf, lent(), puppet);
        let relay = spawn_local(Box::new(relay).run());
        let test = test(Scene { client, server, stock, book, relay });
        tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs");
    });
}

#[test]
fn a_server_is_lent_for_a_statement_and_for_a_transaction() {
    with_shelf(|mut scene| async move {
        scene.expect_usable().await;
        scene.ask(&query("BEGIN")).await;
        scene.answer(&[done("BEGIN"), ready(b'T')].concat()).await;
        assert_eq!(scene.given_back(), 1);
        scene.ask(&query("SELECT 1")).await;
        scene.answer(&[done("SELECT 1"), ready(b'E')].concat()).await;
        assert_eq!(scene.given_back(), 1);
        scene.ask(&query("ROLLBACK")).await;
        scene.answer(&[done("ROLLBACK"), ready(b'I')].concat()).await;
        assert_eq!(scene.given_back(), 2);
        scene.expect_usable().await;
    });
}

#[test]
fn a_pipeline_keeps_its_server_to_the_last_boundary() {
    with_shelf(|mut scene| async move {
        let run = [parse("", "SELECT 1"), message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
        scene.ask(&[run.clone(), flush()].concat()).await;
        scene.answer(&[ran(), done("SELECT 1")].concat()).await;
        assert_eq!(scene.given_back(), 0);
        scene.ask(&[sync(), run, sync()].concat()).await;
        scene.answer(&ready(b'I')).await;
        assert_eq!(scene.given_back(), 0, "a second boundary is owed");
        scene.answer(&[ran(), done("SELECT 1"), ready(b'I')].concat()).await;
        assert_eq!(scene.given_back(), 1);
        scene.expect_usable().await;
    });
}

#[test]
fn what_stands_in_for_a_servers_reply_goes_with_those_behind_it() {
    with_shelf(|mut scene| async move {
        scene.stock.borrow_mut().prepared = Prepared::All;
        let run = [message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0"), sync()].concat();
        put(&mut scene.client, &[parse("", "SELECT 1"), run.clone()].concat()).await;
        expect(&mut scene.server, &run).await;
        expect_nothing(&mut scene.client).await;
        put(&mut scene.server, &[message(b'2', b""), done("SELECT 1"), ready(b'I')].concat()).await;
        let replies = [message(b'1', b""), message(b'2', b""), done("SELECT 1"), ready(b'I')].concat();
        expect(&mut scene.client, &replies).await;
        // Who has asked for what there is gets it: the server may have nothing to say.
        put(&mut scene.client, &[parse("", "SELECT 1"), flush()].concat()).await;
        expect(&mut scene.server, &flush()).await;
        expect(&mut scene.client, &message(b'1', b"")).await;
        put(&mut scene.client, &run).await;
        expect(&mut scene.server, &run).await;
        scene.answer(&[message(b'2', b""), done("SELECT 1"), ready(b'I')].concat()).await;
    });
}

#[test]
fn what_depends_on_the_groups_before_waits_for_their_end_and_for_nothing_else() {
    with_shelf(|mut scene| async move {
        scene.stock.borrow_mut().prepared = Prepared::Undecided;
        let run = [message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
        let group = [run.clone(), sync()].concat();
        let behind = [parse("", "SELECT 2"), run.clone(), sync()].concat();
        // What comes before it in its own group is on its way, and its answer is not waited for.
        put(&mut scene.client, &[group.clone(), group.clone(), run.clone(), behind.clone()].concat()).await;
        expect(&mut scene.server, &[group.clone(), group.clone(), run].concat()).await;
        let answer = [message(b'2', b""), done("SELECT 1"), ready(b'I')].concat();
        scene.answer(&answer).await;
        expect_nothing(&mut scene.server).await;
        scene.answer(&answer).await;
        expect(&mut scene.server, &behind).await;
        scene.answer(&[message(b'2', b""), done("SELECT 1"), ran(), done("SELECT 2"), ready(b'I')].concat()).await;
        assert_eq!(scene.given_back(), 1);
        // Whoever leaves meanwhile does not wait for it.
        put(&mut scene.client, &[group.clone(), behind].concat()).await;
        expect(&mut scene.server, &group).await;
        drop(scene.client);
        assert_eq!(scene.relay.await.unwrap().end, End::ClientGone);
    });
}

#[test]
fn half_a_message_of_the_server_keeps_it() {
    with_shelf(|mut scene| async move {
        scene.ask(&query("SELECT 1")).await;
        let setting = message(b'S', b"TimeZone\0UTC\0");
        let (head, tail) = setting.split_at(7);
        put(&mut scene.server, &[done("SELECT 1"), ready(b'I'), head.to_vec()].concat()).await;
        expect(&mut scene.client, &[done("SELECT 1"), ready(b'I')].concat()).await;
        assert_eq!(scene.given_back(), 0);
        put(&mut scene.server, tail).await;
        expect(&mut scene.client, &setting).await;
        assert_eq!(scene.given_back(), 1);
        scene.expect_usable().await;
    });
}

#[test]
fn what_is_refused_and_what_needs_no_server_takes_none() {
    with_shelf(|mut scene| async move {
        let server = scene.lend_away();
        put(&mut scene.client, &query("refuse this")).await;
        scene.expect_refused("test").await;
        expect(&mut scene.client, &ready(b'I')).await;
        put(&mut scene.client, &[flush(), sync()].concat()).await;
        expect(&mut scene.client, &ready(b'I')).await;
        // Data that nobody asked for.
        put(&mut scene.client, &[message(b'd', b"x"), message(b'c', b""), sync()].concat()).await;
        expect(&mut scene.client, &ready(b'I')).await;
        assert!(!scene.stock.borrow().waiting);
        scene.bring_back(server);
        scene.expect_usable().await;
        assert_eq!(scene.given_back(), 1);
    });
}

#[test]
fn what_a_session_leaves_behind_is_told() {
    for (left, expected) in [("closed", Left::Working), ("pipeline", Left::Unclear), ("copy", Left::Unclear)] {
        with_shelf(|mut scene| async move {
            match left {
                "closed" => {
                    scene.ask(&query("SELECT 1")).await;
                    // Half a message of the reply is no hindrance: what is left of it is told as well.
                    put(&mut scene.server, &row()[..8]).await;
                    expect(&mut scene.client, &row()[..8]).await;
                }
                "pipeline" => scene.ask(&[parse("", "SELECT 1"), flush()].concat()).await,
                _ => {
                    scene.ask(&query("COPY t FROM STDIN")).await;
                    scene.answer(&message(b'G', b"\0\0\0")).await;
                }
            }
            drop(scene.client);
            let remains = scene.relay.await.unwrap();
            assert_eq!((remains.end, remains.left), (End::ClientGone, expected), "{left}");
            if expected == Left::Working {
                assert_eq!(remains.behind.pending, row().len() as u64 - 8);
            }
        });
    }
}

#[test]
fn a_server_is_kept_until_the_cancel_of_a_cut_reply_has_landed() {
    with_shelf(|mut scene| async move {
        scene.ask(&query("read rows=1")).await;
        put(&mut scene.server, &[row(), row()].concat()).await;
        expect(&mut scene.client, &row()).await;
        scene.expect_refused("budget").await;
        assert_eq!(scene.book.borrow().cancel, Cancel::Open);
        put(&mut scene.server, &[canceled(), ready(b'I')].concat()).await;
        expect_nothing(&mut scene.client).await;
        assert_eq!(scene.given_back(), 0, "the cancel could hit whoever has it next");
        scene.book.borrow_mut().close_cancel();
        expect(&mut scene.client, &ready(b'I')).await;
        assert_eq!(scene.given_back(), 1);
        scene.expect_usable().await;
    });
}

#[test]
fn a_guarded_write_is_begun_and_committed_on_one_server() {
    with_shelf(|mut scene| async move {
        put(&mut scene.client, &query("write changes=5")).await;
        expect(&mut scene.server, &[query("BEGIN"), query("write changes=5")].concat()).await;
        put(&mut scene.server, &[done("BEGIN"), ready(b'T'), done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut scene.server, &query("COMMIT")).await;
        assert_eq!(scene.given_back(), 0);
        put(&mut scene.server, &[done("COMMIT"), ready(b'I')].concat()).await;
        expect(&mut scene.client, &[done("UPDATE 1"), ready(b'I')].concat()).await;
        assert_eq!(scene.given_back(), 1);
        scene.expect_usable().await;
    });
}
