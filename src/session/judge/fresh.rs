//! What a judge goes by, as it is now: the settings of its session, the rules of its client, the tables of its database.

use super::Judge;
use crate::roster::Entry;
use crate::session::policy::Policy;
use crate::session::reader::sketch::ChangesSchema;
use crate::sql::{Encoding, Strings};
use crate::telemetry::shapes::Outcome;
use crate::wire::Setting;

/// Text that is looked at even where no rule needs it: for statistics.
const HOLD_MIN: u64 = 16 * 1024;

impl Judge {
    /// The session reads SQL differently from now on.
    pub fn setting(&mut self, setting: Setting) {
        match setting {
            Setting::PlainStrings => self.manner.flags = self.manner.flags.with_strings(Strings::Standard),
            Setting::EscapedStrings => self.manner.flags = self.manner.flags.with_strings(Strings::Escapes),
            Setting::SafeEncoding => self.manner.encoding = Encoding::Safe,
            Setting::PairEncoding => self.manner.encoding = Encoding::Pairs,
            Setting::ShiftJisEncoding => self.manner.encoding = Encoding::ShiftJis,
            Setting::OwnPath => {
                self.sight.path_changed();
                // Asked for again at the next statement.
                self.schema = None;
            }
            Setting::Path(path) => {
                self.sight.path_is(path);
                self.schema = None;
            }
        }
    }

    /// Takes up new rules and a new picture of the tables: two relaxed loads where nothing changed.
    pub(super) fn refresh(&mut self, who: &Entry) {
        let settings = self.house.settings.generation();
        if settings != self.settings {
            self.settings = settings;
            let current = self.house.settings.load();
            self.policy = current.policies.of(&who.identity);
            self.hold = hold(&self.policy);
            if let Some(tidy) = &mut self.tidy {
                tidy.unknown = current.listener.pool.unknown_tables;
            }
            self.break_glass.set_key(current.break_glass.clone());
            // The name of its database may mean another one.
            self.schema = None;
        }
        let catalogue = self.house.catalog.generation();
        if catalogue != self.catalogue || self.schema.is_none() {
            self.catalogue = catalogue;
            self.schema = self.sight.schema(&self.house, who);
        }
    }

    /// A statement that may change the tables was completed: the picture of them is old.
    pub fn completed(&self, outcome: Outcome, who: &Entry) {
        if outcome == Outcome::Completed {
            self.sight.completed(&self.house, who);
        }
        if self.current.as_ref().is_some_and(|text| text.shape.changes_schema == ChangesSchema::Yes) {
            self.house.catalog.touch(self.house.settings.load().at_server(who));
        }
    }
}

/// Asked of every rule, so once for each version of the settings and not for each frame.
pub(super) fn hold(policy: &Policy) -> u64 {
    (policy.guard.hold_bytes() as u64).max(HOLD_MIN)
}
