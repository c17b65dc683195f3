//! A client's prepared statements at a server that others use as well: [`Plan`] applied to the messages of both sides.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::BytesMut;

use crate::client::refuse;
use crate::session::relay::{Course, Whose};
use crate::session::statements::plan::{Caused, Passing, Reply};
use crate::session::statements::{Bounds, Known, Names, Parts, Plan, Refused, Shared};
use crate::wire::pg::code::client;
use crate::wire::pg::frame::{HEAD, client_head};
use crate::wire::pg::rename::{Asked, PREFIX, asked, renamed};
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
}

impl Translator {
    /// A client that has prepared nothing yet.
    pub fn new(shared: Statements, bounds: Bounds) -> Self {
        Self { shared, names: Box::default(), plan: Plan::default(), bounds }
    }

    /// Bytes from the start of a client's message that are wanted: of a Parse all that is to be kept.
    pub fn needs(&self, head: Head, frame: &[u8]) -> u64 {
        match (head.code, frame.get(HEAD)) {
            (client::PARSE, Some(0)) => PREFIX,
            // What is longer is refused by its beginning.
            (client::PARSE, _) if usize::try_from(head.size).is_ok_and(|size| size <= self.bounds.bytes) => head.size,
            (client::PARSE | client::BIND | client::DESCRIBE | client::CLOSE, _) => PREFIX,
            _ => 0,
        }
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

    /// What becomes of a client's message: its beginning is read again, and its name exchanged.
    ///
    /// # Errors
    /// The server must not see it.
    pub fn asks(
        &mut self,
        head: Head,
        frame: &[u8],
        at: (&mut Known, &[u8]),
        out: &mut Outgoing,
    ) -> Result<Course, Refusal> {
        // What no server understands is left to it.
        let Ok(asked) = asked(head, frame) else { return Ok(Course::AsIs) };
        let (known, path) = at;
        let mut caused = Caused { server: std::mem::take(&mut out.server), client: std::mem::take(&mut out.client) };
        let mut shared = self.shared.borrow_mut();
        let mut parts = Parts { shared: &mut shared, names: &mut self.names, known, bounds: self.bounds, path };
        let passing = self.plan.client(asked, &mut parts, &mut caused);
        (out.server, out.client) = (caused.server, caused.client);
        let name = match passing.map_err(|refused| words(refused, asked))? {
            Passing::AsIs => return Ok(Course::AsIs),
            Passing::Withheld => return Ok(Course::Withheld),
            Passing::As(name) => name,
        };
        let too_long = || refuse::statement_too_long();
        renamed(head, frame, &name, &mut out.server).map(Course::Behind).ok_or_else(too_long)
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
                self.plan.replaced(asked);
            }
            rest = after;
        }
    }

    /// What becomes of a server's message, of which `frame` is at hand; what goes to the client behind it is written to `client`.
    ///
    /// # Errors
    /// Nobody waits for it.
    pub fn answers(
        &mut self,
        head: Head,
        frame: &[u8],
        at: (&mut Known, &[u8]),
        client: &mut BytesMut,
    ) -> Result<Whose, Malformed> {
        let (known, path) = at;
        let mut caused = Caused { server: BytesMut::new(), client: std::mem::take(client) };
        let mut shared = self.shared.borrow_mut();
        let mut parts = Parts { shared: &mut shared, names: &mut self.names, known, bounds: self.bounds, path };
        let reply = self.plan.server(head.code, frame, &mut parts, &mut caused);
        *client = caused.client;
        match reply {
            Reply::Pass => Ok(Whose::Client),
            Reply::Drop => Ok(Whose::Ours),
            Reply::OutOfStep => Err(Malformed::OutOfStep),
        }
    }
}

fn words(refused: Refused, asked: Asked<'_>) -> Refusal {
    match (refused, asked) {
        (Refused::Duplicate, Asked::Parse { name, .. }) => refuse::statement_exists(name),
        (Refused::TooLong, _) => refuse::statement_too_long(),
        (Refused::Duplicate | Refused::TooMany, _) => refuse::too_many_statements(),
    }
}
