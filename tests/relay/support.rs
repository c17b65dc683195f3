//! Both ends of a relay, and an overseer that is told what to think.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use floodwall::session::end::End;
use floodwall::session::overseer::{Opinion, Overseer, Owes, Rest, Way};
use floodwall::session::relay::{Relay, Remains, lent};
use floodwall::wire::pg::Pg;
use floodwall::wire::{Failure, Refusal, Request, Setting, Severity, Transaction};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// What the overseer of a test saw, and what it answers.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub forwarded: Vec<String>,
    pub boundaries: Vec<(Transaction, Owes)>,
    pub failures: Vec<String>,
    pub settings: Vec<Setting>,
    pub moved: HashMap<&'static str, usize>,
    pub end: Option<End>,
    pub paused: bool,
    /// Bytes that may be held in incomplete frames.
    pub room: Option<usize>,
    pub reserved: usize,
    pub reserved_most: usize,
    pub waits: usize,
    /// The text that is read elsewhere; once it is read it passes.
    pub lent: Option<Bytes>,
    /// Length of each text that was lent.
    pub lent_bytes: Vec<usize>,
    pub withdrawn: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Puppet(pub Rc<RefCell<Book>>);

pub(crate) fn refusal(rule: &'static str) -> Refusal {
    Refusal {
        severity: Severity::Error,
        sqlstate: "54000",
        rule: rule.into(),
        message: format!("FLOODWALL[rule={rule}] refused"),
        detail: String::new(),
        hint: String::new(),
    }
}

impl Overseer for Puppet {
    fn hold(&self) -> u64 {
        1 << 20
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Refusal> {
        let mut book = self.0.borrow_mut();
        book.reserved = bytes;
        book.reserved_most = book.reserved_most.max(bytes);
        if book.room.is_some_and(|room| bytes > room) { Err(refusal("memory")) } else { Ok(()) }
    }

    fn release(&mut self) {
        self.0.borrow_mut().reserved = 0;
    }

    /// Texts and names of statements say themselves what becomes of them: `refuse`, `warn`, `wait …`.
    fn opinion(&mut self, request: Request<'_>, _size: u64) -> Opinion {
        match request {
            Request::Run { text } | Request::Prepare { text, .. } | Request::Bind { statement: text, .. } => {
                opinion(text, &mut self.0.borrow_mut())
            }
            _ => Opinion::Allow,
        }
    }

    fn poll_opinion(&mut self, cx: &mut Context<'_>) -> Poll<Opinion> {
        let mut book = self.0.borrow_mut();
        if book.waits > 0 {
            book.waits -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if book.lent.take().is_some() {
            return Poll::Ready(Opinion::Allow);
        }
        Poll::Ready(Opinion::Refuse(refusal("late")))
    }

    fn lend(&mut self, text: Bytes) {
        let mut book = self.0.borrow_mut();
        assert!(text.starts_with(b"lend"));
        book.lent_bytes.push(text.len());
        book.lent = Some(text);
    }

    fn withdraw(&mut self) {
        let mut book = self.0.borrow_mut();
        book.lent = None;
        book.withdrawn += 1;
    }

    fn forwarded(&mut self, request: Request<'_>) {
        self.0.borrow_mut().forwarded.push(format!("{request:?}"));
    }

    fn boundary(&mut self, transaction: Transaction, owes: Owes) {
        self.0.borrow_mut().boundaries.push((transaction, owes));
    }

    fn failed(&mut self, failure: Failure) {
        self.0.borrow_mut().failures.push(failure.sqlstate.escape_ascii().to_string());
    }

    fn setting(&mut self, setting: Setting) {
        self.0.borrow_mut().settings.push(setting);
    }

    fn moved(&mut self, way: Way, bytes: usize) {
        let name = match way {
            Way::FromClient => "from client",
            Way::ToServer => "to server",
            Way::FromServer => "from server",
            Way::ToClient => "to client",
        };
        *self.0.borrow_mut().moved.entry(name).or_default() += bytes;
    }

    fn paused(&mut self, _cx: &mut Context<'_>) -> bool {
        self.0.borrow().paused
    }

    fn ending(&mut self, at: Rest) -> Option<End> {
        match self.0.borrow().end {
            Some(End::Drained) if at == Rest::Working => None,
            end => end,
        }
    }
}

fn opinion(text: &[u8], book: &mut Book) -> Opinion {
    if text.starts_with(b"refuse") {
        Opinion::Refuse(refusal("test"))
    } else if text.starts_with(b"warn") {
        Opinion::Warn(refusal("test"))
    } else if text.starts_with(b"wait") {
        book.waits = 3;
        Opinion::Wait
    } else if text.starts_with(b"lend") {
        book.waits = 3;
        Opinion::Lend
    } else {
        Opinion::Allow
    }
}

/// The two ends that a test plays.
pub(crate) struct Ends {
    pub client: DuplexStream,
    pub server: DuplexStream,
    pub book: Rc<RefCell<Book>>,
    pub relay: JoinHandle<Remains<DuplexStream, DuplexStream, Puppet>>,
}

/// Runs a test with a relay whose pipes hold `pipe` bytes each.
pub(crate) fn with_relay<F: Future<Output = ()>>(pipe: usize, test: impl FnOnce(Ends) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (client, client_far) = duplex(pipe);
        let (server, server_far) = duplex(pipe);
        let puppet = Puppet::default();
        let book = Rc::clone(&puppet.0);
        let relay = Relay::<Pg, _, _, _>::new(client_far, server_far, lent(), puppet);
        let relay = spawn_local(relay.run());
        let test = test(Ends { client, server, book, relay });
        tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs");
    });
}

pub(crate) fn message(code: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn query(text: &str) -> Vec<u8> {
    message(b'Q', &[text.as_bytes(), b"\0"].concat())
}

pub(crate) fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", text.as_bytes(), b"\0\0\0"].concat())
}

pub(crate) fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

pub(crate) fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
}

pub(crate) async fn expect(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    let what = String::from_utf8_lossy(bytes);
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut got))
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what:?}"))
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&got), what);
}

/// The next whole message.
pub(crate) async fn receive(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut head)).await.expect("no message").unwrap();
    let size = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
    let mut body = vec![0; size];
    stream.read_exact(&mut body).await.unwrap();
    (head[0], body)
}

pub(crate) async fn expect_nothing(stream: &mut DuplexStream) {
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
    assert!(read.is_err(), "{:?} came, {byte:?}", read);
}

pub(crate) async fn put(stream: &mut DuplexStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}
