//! Both ends of a relay, and an overseer that is told what to think.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use floodwall::guard::limits::Undo;
use floodwall::guard::plan::Effect;
use floodwall::session::cancel::Target;
use floodwall::session::end::End;
use floodwall::session::overseer::{Extent, Opinion, Overseer, Owes, Rest, Way};
use floodwall::session::relay::{Owned, Relay, Remains, lent};
use floodwall::session::watch::{Allowance, Excess, Hold, Reach, Ruling, Streams, Tally, Watch, Work};
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
    /// Bytes of COPY data that were judged, and that went by behind those.
    pub data: [usize; 2],
    /// Texts by name, and those of portals.
    pub prepared: HashMap<Vec<u8>, Vec<u8>>,
    pub portals: HashMap<Vec<u8>, Vec<u8>>,
    /// The text that was judged last.
    pub text: Vec<u8>,
    pub excesses: Vec<(Excess, Reach)>,
    pub tallies: Vec<Tally>,
    /// The time of the statement at work is up.
    pub late: bool,
    pub stops: usize,
    pub insisted: usize,
    pub cancel: Cancel,
    pub waker: Option<Waker>,
}

/// A cancel of the scripted server.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    #[default]
    None,
    /// Its socket is open.
    Open,
    /// It closes once the work has ended.
    Closing,
}

impl Book {
    /// The server closes the cancel's socket.
    pub(crate) fn close_cancel(&mut self) {
        self.cancel = Cancel::Closing;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Bytes of COPY data that the overseer saw.
    pub(crate) fn shown(&self) -> usize {
        self.data.iter().sum()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Puppet(pub Rc<RefCell<Book>>, pub Option<Arc<Target>>);

pub(crate) fn refusal(rule: &'static str) -> Refusal {
    Refusal {
        severity: Severity::Error,
        sqlstate: "54000",
        rule,
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

    /// Texts and names of statements say themselves what becomes of them: `refuse`, `warn`, `more …`, `wait …`.
    fn opinion(&mut self, request: Request<'_>, frame: Extent) -> Opinion {
        match request {
            Request::Run { text } | Request::Prepare { text, .. } | Request::Bind { statement: text, .. } => {
                let mut book = self.0.borrow_mut();
                book.text = text.to_vec();
                opinion(text, frame, &mut book)
            }
            Request::Data { bytes, size } => {
                let mut book = self.0.borrow_mut();
                book.data[0] += bytes.len();
                if size > DATA_MAX { Opinion::Refuse(refusal("test")) } else { Opinion::Allow }
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

    fn watch(&mut self, request: Request<'_>) -> Watch {
        let book = self.0.borrow();
        let text = match request {
            Request::Execute { portal, .. } => book.portals.get(portal).cloned().unwrap_or_default(),
            _ => book.text.clone(),
        };
        watch(&String::from_utf8_lossy(&text))
    }

    fn excess(&mut self, excess: Excess, reach: Reach) -> Ruling {
        self.0.borrow_mut().excesses.push((excess, reach));
        match reach {
            Reach::Whole => Ruling::Fail(refusal("budget")),
            Reach::Late => Ruling::Warn(refusal("late")),
        }
    }

    fn late(&mut self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().late)
    }

    fn tally(&mut self, tally: Tally) {
        self.0.borrow_mut().tallies.push(tally);
    }

    fn stop(&mut self, _rule: &'static str) {
        let mut book = self.0.borrow_mut();
        book.stops += 1;
        book.cancel = Cancel::Open;
    }

    fn insist(&mut self) {
        let mut book = self.0.borrow_mut();
        book.insisted += 1;
        book.cancel = Cancel::Open;
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>, work: Work) -> Poll<()> {
        let mut book = self.0.borrow_mut();
        match (book.cancel, work) {
            (Cancel::None, _) => Poll::Ready(()),
            (Cancel::Closing, Work::Ended) => {
                book.cancel = Cancel::None;
                Poll::Ready(())
            }
            _ => {
                book.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
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

    fn data(&mut self, bytes: &[u8]) {
        self.0.borrow_mut().data[1] += bytes.len();
    }

    fn forwarded(&mut self, request: Request<'_>) {
        let mut book = self.0.borrow_mut();
        book.forwarded.push(format!("{request:?}"));
        match request {
            Request::Prepare { name, text } => {
                book.prepared.insert(name.to_vec(), text.to_vec());
            }
            Request::Bind { portal, statement, .. } => {
                let text = book.prepared.get(statement).cloned().unwrap_or_default();
                book.portals.insert(portal.to_vec(), text);
            }
            _ => {}
        }
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

    fn asked(&self) -> Option<&Arc<Target>> {
        self.1.as_ref().filter(|target| target.is_asked_for_work())
    }

    fn keeps_transaction(&self, _request: Request<'_>) -> bool {
        self.0.borrow().text.starts_with(b"SELECT")
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

/// A text says itself what is watched: `read rows=2`, `write changes=5`, `other bytes=100`.
fn watch(text: &str) -> Watch {
    let number = |key: &str| {
        let found = text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.map(|number| number.parse().unwrap())
    };
    let (rows, bytes, changes) = (number("rows"), number("bytes"), number("changes"));
    let unlimited = Allowance::UNLIMITED;
    let allowance = Allowance {
        rows: rows.unwrap_or(unlimited.rows),
        bytes: bytes.unwrap_or(unlimited.bytes),
        copy: Streams::Counted,
    };
    Watch {
        allowance,
        changes_max: changes.unwrap_or(u64::MAX),
        returned: number("returned"),
        hold: match (rows.or(bytes), changes) {
            _ if text.contains("bounded") => Hold::Nothing,
            _ if text.starts_with("slow") => Hold::Alone,
            (_, Some(_)) => Hold::Decide,
            (Some(_), None) => Hold::Cut,
            (None, None) => Hold::Nothing,
        },
        undo: if text.contains("savepoint") { Undo::ToSavepoint } else { Undo::Abort },
        effect: match text.split_whitespace().next() {
            Some("write") => Effect::Writes,
            Some("execute") => Effect::Runs,
            Some("open") => Effect::Opens,
            Some("other") => Effect::Other,
            _ => Effect::Reads,
        },
    }
}

/// `more 100000 …` wants so many bytes to say no.
fn more(text: &[u8], frame: Extent) -> Opinion {
    let digits = text.split(|&byte| byte == b' ').nth(1).unwrap();
    let wanted: u64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
    if frame.held < wanted.min(frame.size) { Opinion::More(wanted) } else { Opinion::Refuse(refusal("more")) }
}

fn opinion(text: &[u8], frame: Extent, book: &mut Book) -> Opinion {
    if text.starts_with(b"refuse") {
        Opinion::Refuse(refusal("test"))
    } else if text.starts_with(b"warn") {
        Opinion::Warn(refusal("test"))
    } else if text.starts_with(b"more") {
        more(text, frame)
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

/// COPY data of more bytes in one message is refused.
pub(crate) const DATA_MAX: u64 = 250_000;

/// The two ends that a test plays.
pub(crate) struct Ends {
    pub client: DuplexStream,
    pub server: DuplexStream,
    pub book: Rc<RefCell<Book>>,
    pub relay: JoinHandle<Remains<DuplexStream, Owned<DuplexStream>, Puppet>>,
}

/// Runs a test with a relay whose pipes hold `pipe` bytes each.
pub(crate) fn with_relay<F: Future<Output = ()>>(pipe: usize, test: impl FnOnce(Ends) -> F) {
    with_relay_of(Puppet::default(), pipe, test);
}

/// The same with this overseer. Its task is the one that the overseer's target wakes.
pub(crate) fn with_relay_of<F: Future<Output = ()>>(puppet: Puppet, pipe: usize, test: impl FnOnce(Ends) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (client, client_far) = duplex(pipe);
        let (server, server_far) = duplex(pipe);
        let (book, target) = (Rc::clone(&puppet.0), puppet.1.clone());
        let relay = Relay::<Pg, _, _, _>::new(client_far, Owned(server_far), lent(), puppet);
        let relay = spawn_local(async move {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            target.iter().for_each(|target| target.register(&waker, 1));
            Box::new(relay).run().await
        });
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

pub(crate) fn canceled() -> Vec<u8> {
    error("57014", "canceling statement due to user request")
}

pub(crate) fn ran() -> Vec<u8> {
    [message(b'1', b""), message(b'2', b"")].concat()
}

pub(crate) fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub(crate) fn flush() -> Vec<u8> {
    message(b'H', b"")
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
