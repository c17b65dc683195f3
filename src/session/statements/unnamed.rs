//! The unnamed statement, which is there to be used once: kept so that it can be used at another server all the same.

use std::rc::Rc;

use bytes::BytesMut;

use super::entry::{Entry, Learnt, Undo, Wants, Whose};
use super::plan::{Mode, Parts, Passing, Plan, nowhere};
use super::repeated::Repeats;
use super::shared::Statement;
use crate::wire::Outgoing;
use crate::wire::pg::own;

/// Unnamed statements are kept up to so many bytes.
const UNNAMED_MAX: usize = 16 * 1024;

/// The unnamed statement of a client.
#[derive(Debug, Clone, Default)]
pub enum Unnamed {
    /// There is none.
    #[default]
    None,
    /// This one; `body` is text and types, `None` where they are too long to be kept: then it can only be used at the server that has it.
    Some {
        /// What tells it from any other.
        number: u64,
        /// Text and types.
        body: Option<Rc<[u8]>>,
    },
    /// One that is repeated, and prepared under a name for that.
    Repeated(Rc<Statement>),
}

impl Unnamed {
    /// A copy of this body: the one at hand, where it is the same.
    pub(super) fn kept(&self, body: &[u8]) -> Rc<[u8]> {
        match self {
            Self::Some { body: Some(kept), .. } if **kept == *body => Rc::clone(kept),
            _ => body.into(),
        }
    }
}

impl Parts<'_> {
    /// Neither client nor server has an unnamed statement from here on.
    pub(super) fn ends_unnamed(&mut self) -> Undo {
        Undo::Unnamed(std::mem::take(&mut self.names.unnamed), self.known.unnamed.take())
    }
}

impl Plan {
    /// A client prepares an unnamed statement.
    pub(super) fn parse_unnamed(
        &mut self,
        body: Option<&[u8]>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Passing {
        let repeated = match (parts.bounds.repeats, body) {
            (Repeats::Prepared, Some(body)) if !parts.context.is_private() => {
                parts.context = parts.context.of_text(body);
                (!parts.context.is_unsettled()).then(|| parts.shared.repeated(parts.context, body)).flatten()
            }
            _ => None,
        };
        match repeated {
            Some(statement) => self.parse_repeated(statement, parts, caused),
            None => self.parse_once(body, parts),
        }
    }

    /// One that may be used at any server, and needs a name for that.
    pub(super) fn parse_anywhere(&mut self, body: &[u8], parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) -> Passing {
        match parts.shared.statement(parts.context, body) {
            Some(statement) => self.parse_repeated(statement, parts, caused),
            None => self.parse_once(Some(body), parts),
        }
    }

    /// The server has it, or learns it under its name.
    fn parse_repeated(
        &mut self,
        statement: Rc<Statement>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Passing {
        self.repeated = true;
        let before = std::mem::replace(&mut parts.names.unnamed, Unnamed::Repeated(Rc::clone(&statement)));
        let undo = |learnt: Option<Learnt>| Undo::Repeated(before, learnt.map(|_| statement.number));
        self.learns(&statement, undo, parts, caused)
    }

    /// It goes to the server as it is, since it is there to be used once.
    pub(super) fn parse_once(&mut self, body: Option<&[u8]>, parts: &mut Parts<'_>) -> Passing {
        let number = parts.shared.number();
        let body = body.filter(|body| body.len() <= UNNAMED_MAX).map(|body| parts.names.unnamed.kept(body));
        let client = std::mem::replace(&mut parts.names.unnamed, Unnamed::Some { number, body });
        let server = parts.known.unnamed.replace(number);
        let undo = Undo::Unnamed(client, server);
        self.queue.push_back(Entry::new(Wants::Parse, Whose::Client).undoing(undo));
        Passing::AsIs
    }

    /// A Query goes as a pipeline of ours, which its Sync ends; these are the `steps` of that which its client has asked for.
    pub(super) fn queries<const N: usize>(&mut self, steps: [Entry; N], parts: &mut Parts<'_>, out: &mut BytesMut) {
        own::sync(out);
        let unnamed = parts.ends_unnamed();
        self.ours(Wants::Parse, unnamed);
        self.ours(Wants::Bind, Undo::Nothing);
        self.queue.extend(steps);
        self.queue.push_back(Entry::new(Wants::Ready, Whose::Client));
        parts.known.ends_group();
    }

    pub(super) fn on_unnamed(&mut self, wants: Wants, parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) -> Passing {
        let doubt = self.unnamed_doubt();
        if doubt == Some(Doubt::Client) {
            return Passing::Later;
        }
        let passing = match &parts.names.unnamed {
            Unnamed::Some { number, .. } if parts.known.unnamed == Some(*number) && doubt.is_none() => Passing::AsIs,
            Unnamed::Some { number, body: Some(body) } => {
                own::parse(b"", body, caused.server);
                let server = parts.known.unnamed.replace(*number);
                let undo = Undo::Unnamed(parts.names.unnamed.clone(), server);
                self.ours(Wants::Parse, undo);
                Passing::AsIs
            }
            // The server may have another client's.
            Unnamed::None | Unnamed::Some { body: None, .. } | Unnamed::Repeated(_) => nowhere(),
        };
        self.pass(wants);
        passing
    }

    /// Whose unnamed statement may turn out to be another one than was sent last, for the server maybe another client's? So it is where
    /// that was sent in an earlier group, which may fail before it comes to that.
    pub(super) fn unnamed_doubt(&self) -> Option<Doubt> {
        let mut has_ended = false;
        for (looked_at, step) in self.queue.iter().rev().enumerate() {
            if let Some(doubt) = step.sets_unnamed() {
                return (has_ended && self.mode == Mode::Asking).then_some(doubt);
            }
            has_ended |= step.ends_group();
            if looked_at >= LOOKED_AT_MAX {
                break;
            }
        }
        (has_ended && self.mode == Mode::Asking && self.queue.len() > LOOKED_AT_MAX).then_some(Doubt::Client)
    }
}

/// Whose unnamed statement is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The server's: it is sent once more.
    Server,
    /// The client's as well: nobody knows before the group is answered.
    Client,
}

/// Steps that are looked at for the one that set the unnamed statement: where it is further off, the groups before are waited for.
const LOOKED_AT_MAX: usize = 64;
