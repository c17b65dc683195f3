//! What a session keeps while servers come and go: its settings, what it was told of them, and what it may have left in the server
//! at hand.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;

use super::Lent;
use super::ahead;
use super::exchange::Exchange;
use super::settling::Settling;
use super::translate::At;
use crate::server::reported::Reported;
use crate::session::state::names::of_set_config;
use crate::session::state::pins::Reason;
use crate::session::state::replay::{NAME, Replay, discard, rename, replay};
use crate::session::state::settings::tells_unreported;
use crate::session::state::{Findings, Gathered, Interner, Reasons, Settings, Stain, check};
use crate::session::statements::Context;
use crate::sql::facts::Traces;
use crate::wire::pg::own;

/// The settings of one worker's sessions.
pub type Wardrobe = Rc<RefCell<Interner>>;

/// What a server needs before it is fit for a session.
pub(super) enum Dress {
    /// Nothing.
    Nothing,
    /// The name of the application, ahead of the first statement.
    Ahead(Exchange),
    /// Settings, before the first statement goes there.
    Before(Exchange),
}

/// What one session keeps.
#[derive(Debug)]
pub struct Kept {
    wardrobe: Wardrobe,
    /// What the client asked for when it came.
    startup: Arc<Settings>,
    /// What it is to find on its next server.
    wants: Arc<Settings>,
    told: Arc<Reported>,
    /// What its transaction may leave behind.
    pub(super) gathered: Gathered,
    /// Whether the settings that the server told last are those that it has.
    pub(super) settling: Settling,
    /// Why the server at hand is its own.
    pub(super) pins: Reasons,
}

impl Kept {
    /// A session that has just begun.
    pub fn new(wardrobe: Wardrobe, startup: Arc<Settings>, told: Arc<Reported>) -> Self {
        let wants = Arc::clone(&startup);
        Self {
            wardrobe,
            startup,
            wants,
            told,
            gathered: Gathered::default(),
            settling: Settling::default(),
            pins: Reasons::NONE,
        }
    }

    /// What the statements of the session of that number depend on at this server.
    pub fn at<'a>(&'a self, server: &'a mut Lent, number: u64) -> At<'a> {
        let is_private = self.pins.has(Reason::Temporary) || self.gathered.traces().has(Traces::TEMP);
        let (reported, settings) = (server.parameters.literals(), self.wants.context());
        let (standing, tenure) = (self.settling.standing(), self.settling.tenure());
        let context = Context { reported, settings, owner: is_private.then_some(number), standing, tenure };
        At { known: &mut server.hold.known, context }
    }

    /// A text that sets something goes to the server; `None`: it is not at hand. May it set what texts are read under and nobody reports?
    pub(super) fn may_hide(&self, text: Option<&[u8]>, traces: Traces) -> bool {
        // What its session has of these it may reset.
        text.is_none_or(tells_unreported)
            || tells_unreported(self.wants.context())
            || (traces.has(Traces::UNNAMED) && text.is_some_and(|text| of_set_config(text).1.has(Traces::UNNAMED)))
    }

    /// Has an idle server the settings of the session of that number already?
    pub fn suits(&self, server: &Lent, number: u64) -> bool {
        server.hold.wears(&self.wants, Some(number))
    }

    /// What makes a server's settings those of this session. Who stained a server knows what it left there, so the session says its
    /// number.
    pub(super) fn dress(&self, server: &mut Lent, number: u64) -> Dress {
        let stained = server.hold.stained_by.is_some_and(|who| who != number);
        if !stained && Arc::ptr_eq(&server.hold.settings, &self.wants) {
            return Dress::Nothing;
        }
        let mut bytes = BytesMut::new();
        let named = !stained && self.pins.is_none() && self.is_told_all_but_the_name(server);
        if named && rename(&server.hold.settings, &self.wants, &mut bytes) == Replay::Sent {
            server.hold.known.forget_unnamed();
            return Dress::Ahead(Exchange::new(bytes));
        }
        let stain = if stained { Stain::Stained } else { Stain::None };
        if replay(&server.hold.settings, &self.wants, stain, &mut bytes) == Replay::NotNeeded {
            server.hold.settings = Arc::clone(&self.wants);
            return Dress::Nothing;
        }
        // What we ask takes the place of the unnamed statement.
        server.hold.known.forget_unnamed();
        Dress::Before(Exchange::new(bytes))
    }

    /// Has the client been told the same as this server has told, but for the name of the application?
    fn is_told_all_but_the_name(&self, server: &Lent) -> bool {
        let named = self.told.value(NAME).is_some() && self.told.value(NAME) == self.wants.value(NAME);
        named && self.told.news(&server.parameters).all(|news| *news.name == *NAME)
    }

    /// The name of the application has gone ahead.
    pub(super) fn named(&self, server: &mut Lent) {
        ahead::sent(server, &self.wants, &self.told);
    }

    /// The server has taken the settings.
    pub fn dressed(&self, server: &mut Lent) {
        server.hold.settings = Arc::clone(&self.wants);
        server.hold.stained_by = None;
    }

    /// What the client has to be told of the server that it gets.
    pub fn news(&mut self, server: &Lent, out: &mut BytesMut) {
        if Arc::ptr_eq(&self.told, &server.parameters) {
            return;
        }
        self.told.news(&server.parameters).for_each(|news| own::parameter_status(news, out));
        self.told = Arc::clone(&server.parameters);
    }

    /// The server at hand told the client of a parameter.
    pub fn heard(&mut self, server: &Lent) {
        self.told = Arc::clone(&server.parameters);
        if self.gathered.is_none() {
            // Whatever it was that set it, its text did not say so.
            self.gathered.add_unread();
        }
    }

    /// Asks the server what the transaction has left. `user` is who logged in.
    pub fn question(&self, user: &[u8], server: &mut Lent) -> Exchange {
        server.hold.known.forget_unnamed();
        let mut bytes = BytesMut::new();
        check::question(&self.gathered, self.pins, &self.wants, user, &mut bytes);
        Exchange::new(bytes)
    }

    /// Takes in what the server answered to the session of that number. False where nobody can keep what was found.
    pub fn found(&mut self, findings: Findings, server: &mut Lent, number: u64) -> bool {
        let gathered = std::mem::take(&mut self.gathered);
        let Ok(decision) = findings.decide(&gathered, self.pins, &self.startup) else { return false };
        let mut wardrobe = self.wardrobe.borrow_mut();
        self.pins = decision.reasons;
        decision.prepared.iter().for_each(|&count| server.hold.known.has_only(count));
        server.hold.settings = wardrobe.shared(decision.server);
        self.wants = wardrobe.shared(decision.client);
        if gathered.stains() {
            server.hold.stained_by = Some(number);
        }
        true
    }

    /// What the server at hand had of this session is lost with it.
    pub fn lose(&mut self) {
        self.gathered.clear();
        self.pins = Reasons::NONE;
    }

    /// Makes a server fit for anybody.
    pub fn wash() -> Exchange {
        let mut bytes = BytesMut::new();
        discard(&mut bytes);
        Exchange::new(bytes)
    }
}
