//! A client's prepared statements at a server that others use as well: [`Plan`] applied to the messages of both sides.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use bytes::BytesMut;

use crate::client::refuse;
use crate::session::relay::{Course, Whose};
use crate::session::statements::again::{AGAIN_MAX, Knows};
use crate::session::statements::{Again, Bounds, Context, Known, Names, Parts, Passing, Plan, Refused, Reply, Shared};
use crate::wire::pg::code::client;
use crate::wire::pg::deallocate::{deallocated, text};
use crate::wire::pg::execute::{executed, may_execute};
use crate::wire::pg::frame::{HEAD, client_head};
use crate::wire::pg::own::{Answered, answered, flush};
use crate::wire::pg::rename::{Asked, asked, renamed};
use crate::wire::pg::reply::failure;
use crate::wire::pg::request::NAME_PREFIX;
use crate::wire::{Head, Malformed, Outgoing, Refusal};

/// The statements of all sessions of a worker.
pub type Statements = Rc<RefCell<Shared>>;

/// What one client has prepared, and the steps of its pipeline.
#[derive(Debug)]
pub struct Translator {
    shared: Statements,
    /// Boxed: a small box fits where the allocator has left room between larger things.
    names: Box<Names>,
    plan: Plan,
    bounds: Bounds,
    /// The group at hand, where it may have to be asked again.
    again: Option<Box<Again>>,
}

/// Where a message comes to.
#[derive(Debug)]
pub struct At<'a> {
    /// The statements of the server.
    pub known: &'a mut Known,
    /// See [`Parts::context`].
    pub context: Context<'a>,
}

impl<'a> At<'a> {
    fn parts(self, shared: &'a mut Shared, names: &'a mut Names, bounds: Bounds) -> Parts<'a> {
        let Self { known, context } = self;
        Parts { shared, names, known, bounds, context }
    }
}

impl Translator {
    /// A client that has prepared nothing yet.
    pub fn new(shared: Statements, bounds: Bounds) -> Self {
        let names = Box::new(Names::counted(shared.borrow().share()));
        shared.borrow_mut().enters();
        Self { shared, names, plan: Plan::default(), bounds, again: None }
    }

    /// Bytes from the start of a client's message that are wanted: of a Parse all that is to be kept.
    pub fn needs(&self, head: Head, frame: &[u8]) -> u64 {
        match (head.code, frame.get(HEAD)) {
            (client::PARSE, Some(0)) => NAME_PREFIX,
            // What is longer is refused by its beginning.
            (client::PARSE, _) if usize::try_from(head.size).is_ok_and(|size| size <= self.bounds.bytes) => head.size,
            (client::PARSE | client::BIND | client::DESCRIBE | client::CLOSE, _) => NAME_PREFIX,
            (client::QUERY, _) if head.size <= DEALLOCATE_MAX => head.size,
            (client::QUERY, Some(&first)) if head.size <= NAME_PREFIX && may_execute(first) => head.size,
            _ => 0,
        }
    }

    /// True where a Sync was the last that was asked and is not answered yet.
    pub fn ends_with_sync(&self) -> bool {
        self.plan.ends_with_sync()
    }

    /// True where the server owes an answer that it gives as soon as it can, once it was told to flush.
    pub fn owes(&self) -> bool {
        self.plan.owes()
    }

    /// True where no reply is owed.
    pub fn is_settled(&self) -> bool {
        self.plan.is_settled()
    }

    /// True where the client may ask more before replies come.
    pub fn has_room(&self) -> bool {
        self.plan.has_room()
    }

    /// The text of a statement that the client has prepared, where it is kept.
    pub fn text(&self, name: &[u8]) -> Option<&[u8]> {
        let body = self.names.body(name)?;
        body.split(|&byte| byte == 0).next()
    }

    /// A client's message of a pipeline goes to the server as it came, where nothing depends on what either of them has prepared. False: see
    /// [`Translator::asks`].
    pub fn takes(&mut self, head: Head, frame: &[u8]) -> bool {
        matches!(head.code, client::DESCRIBE | client::EXECUTE | client::CLOSE)
            && self.again.is_none()
            && asked(head, frame).is_ok_and(|asked| self.plan.takes(asked))
    }

    /// True where a server's message passes and changes nothing here. False: see [`Translator::answers`].
    #[inline]
    pub fn passes(&self, head: Head) -> bool {
        self.plan.passes(head.code)
    }

    /// What becomes of a client's message: its beginning is read again, and its name exchanged.
    ///
    /// # Errors
    /// The server must not see it.
    pub fn asks(&mut self, head: Head, frame: &[u8], at: At<'_>, out: &mut Outgoing<'_>) -> Result<Course, Refusal> {
        // What no server understands is left to it.
        let Ok(asked) = asked(head, frame) else { return Ok(Course::AsIs) };
        let mut shared = self.shared.borrow_mut();
        let mut parts = at.parts(&mut shared, &mut self.names, self.bounds);
        let passing = ends(head, frame)
            .and_then(|name| self.plan.deallocates(asked, &name, &mut parts, out).map(Ok))
            .or_else(|| self.plan.executes(asked, &executed(asked, head, frame)?, &mut parts, out))
            .unwrap_or_else(|| self.plan.client(asked, &mut parts, out));
        drop(shared);
        if self.again.is_some() && passing != Ok(Passing::Later) {
            self.copy(asked, head, frame);
        }
        let name = match passing.map_err(|refused| words(refused, asked))? {
            Passing::AsIs => return Ok(Course::AsIs),
            Passing::Withheld => return Ok(Course::Withheld),
            Passing::Later => {
                flush(out.server);
                return Ok(Course::Later);
            }
            Passing::As(name) => name,
        };
        let at = out.server.len();
        let instead_of = renamed(head, frame, &name, out.server).ok_or_else(refuse::statement_too_long)?;
        if let Asked::Bind { statement } = asked {
            let begin = out.server.get(at..).unwrap_or_default();
            self.copy_bind(statement, head, (begin, frame.get(instead_of..).unwrap_or_default()));
        }
        Ok(Course::Behind(instead_of))
    }

    /// Begins to copy a group that may have to be asked again: `parts` are its Bind, as far as it is at hand.
    fn copy_bind(&mut self, name: &[u8], head: Head, parts: (&[u8], &[u8])) {
        let (begin, rest) = parts;
        let is_short = head.size <= AGAIN_MAX as u64;
        let Some(statement) = self.names.find(name).filter(|_| is_short && self.plan.begins_with_bind()) else {
            return;
        };
        let knows = self.plan.knows(name);
        let is_whole = client_head(begin)
            .is_ok_and(|new| new.is_some_and(|new| new.size == size(begin).saturating_add(size(rest))));
        if is_whole && (knows == Knows::Nothing || self.shared.borrow().may_change(statement)) {
            self.again = Some(Box::new(Again::new(statement, knows, begin, rest)));
        }
    }

    /// Copies what follows the Bind of a group.
    fn copy(&mut self, asked: Asked<'_>, head: Head, frame: &[u8]) {
        let is_whole = head.size == size(frame);
        self.again =
            self.again.take().filter(|_| is_whole).and_then(|mut again| again.takes(asked, frame).then_some(again));
    }

    /// What asks a group again that failed: see [`Whose::Again`].
    pub fn take_again(&mut self) -> BytesMut {
        self.again.take().map(|again| again.into_bytes()).unwrap_or_default()
    }

    /// Nobody waits for a group any more, so it is not asked again.
    pub fn forget_again(&mut self) {
        self.again = None;
    }

    /// Messages of ours went to the server, in the client's place.
    pub fn sent(&mut self, bytes: &[u8], known: &mut Known) {
        let mut rest = bytes;
        while let Ok(Some(head)) = client_head(rest) {
            let size = usize::try_from(head.size).unwrap_or(usize::MAX).min(rest.len());
            let (frame, after) = rest.split_at(size);
            if let Ok(asked) = asked(head, frame) {
                if asked == Asked::Query {
                    known.forget_unnamed();
                }
                if matches!(asked, Asked::Query | Asked::Sync) {
                    known.ends_group();
                }
                self.plan.replaced(asked);
            }
            rest = after;
        }
    }

    /// What becomes of a server's message, of which `frame` is at hand; what goes to the client behind it is written to `client`.
    ///
    /// # Errors
    /// Nobody waits for it.
    pub fn answers(&mut self, head: Head, frame: &[u8], at: At<'_>, client: &mut BytesMut) -> Result<Whose, Malformed> {
        let mut shared = self.shared.borrow_mut();
        let mut parts = at.parts(&mut shared, &mut self.names, self.bounds);
        if self.again.is_some() && fails_for_change(&mut self.again, (head, frame), &mut self.plan, &mut parts) {
            return Ok(Whose::Again);
        }
        match self.plan.server(head.code, frame, &mut parts, client) {
            Reply::Pass => Ok(Whose::Client),
            Reply::Drop => Ok(Whose::Ours),
            Reply::OutOfStep => Err(Malformed::OutOfStep),
        }
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        self.shared.borrow_mut().leaves();
    }
}

/// True where a reply denies the group at hand, which is asked again for that. With any other reply to it the copy is of no use.
fn fails_for_change(
    again: &mut Option<Box<Again>>,
    reply: (Head, &[u8]),
    plan: &mut Plan,
    parts: &mut Parts<'_>,
) -> bool {
    let (head, frame) = reply;
    let fails = match answered(head.code) {
        // What is said aside answers nothing.
        Answered::Between => return false,
        Answered::Failed => failure(frame).sqlstate == CHANGED,
        _ => false,
    };
    let asks =
        fails && again.as_ref().is_some_and(|again| again.is_whole() && plan.asks_again(again.statement(), parts));
    if !asks {
        *again = None;
    }
    asks
}

/// SQLSTATE of a prepared statement whose result has another shape by now, among other things.
const CHANGED: [u8; 5] = *b"0A000";

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The statement that a message ends by SQL. A name is as long as the server keeps it, and no longer.
fn ends(head: Head, frame: &[u8]) -> Option<Cow<'_, [u8]>> {
    if head.size > DEALLOCATE_MAX { None } else { deallocated(text(head, frame)?) }
}

/// Longer messages are not looked at for a DEALLOCATE.
const DEALLOCATE_MAX: u64 = 256;

fn words(refused: Refused, asked: Asked<'_>) -> Refusal {
    match (refused, asked) {
        (Refused::Duplicate, Asked::Parse { name, .. }) => refuse::statement_exists(name),
        (Refused::TooLong, _) => refuse::statement_too_long(),
        (Refused::NoRoom, Asked::Parse { name, body }) => {
            refuse::memory(name.len().saturating_add(body.unwrap_or_default().len()))
        }
        (Refused::NoRoom, _) => refuse::memory(0),
        (Refused::Duplicate | Refused::TooMany, _) => refuse::too_many_statements(),
    }
}
