//! What the statements of one transaction may leave behind.

use super::names;
use crate::sql::facts::{Left, Traces};
use crate::wire::{Format, Value};

/// Names that are kept; with more of them the server is stained.
const NAMES_MAX: usize = 64;

/// Added up from statement to statement; takes no memory where nothing is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gathered {
    traces: Traces,
    names: Vec<Box<[u8]>>,
}

impl Gathered {
    /// A statement goes to the server. `given` is what [`Left::given`] says of it; `text` is as the client sent it.
    pub fn add(&mut self, left: &Left, given: Traces, text: &[u8]) {
        let given = given.without(Traces::OWN);
        if given.is_none() {
            return;
        }
        let mut lost = left.settings.iter().fold(Traces::NONE, |lost, name| lost.and(self.name(name.as_bytes())));
        let mut given = given;
        if given.has(Traces::UNNAMED) {
            let (found, other) = names::of_set_config(text);
            lost = found.iter().fold(lost, |lost, name| lost.and(self.name(name)));
            given = given.without(Traces::UNNAMED).and(other);
        }
        let given = given.and(lost);
        self.traces = self.traces.and(given);
    }

    /// A statement goes to the server that nobody has read.
    pub fn add_unread(&mut self) {
        self.traces = self.traces.and(Traces::UNKNOWN);
    }

    /// A call that nobody has read is given this: the name of a setting, maybe. One too many costs a column of a question.
    pub fn add_named(&mut self, value: Value<'_>) {
        if let Value::Whole(Format::Text, name) = value
            && names::may_be_dotted(name)
        {
            let lost = self.name(name);
            self.traces = self.traces.and(lost);
        }
    }

    /// Keeps a name; where there is no room for it, it is one that nobody knows.
    fn name(&mut self, name: &[u8]) -> Traces {
        let name = name.to_ascii_lowercase().into_boxed_slice();
        if self.names.contains(&name) {
            return Traces::NONE;
        }
        if self.names.len() >= NAMES_MAX {
            return Traces::UNNAMED;
        }
        self.names.push(name);
        Traces::NONE
    }

    /// What may be left.
    pub const fn traces(&self) -> Traces {
        self.traces
    }

    /// Settings that the server does not list unless a library declares them, in lower case.
    pub fn names(&self) -> &[Box<[u8]>] {
        &self.names
    }

    /// True where nothing is left: only a server that had something left before is to be asked, see [`Gathered::ends`].
    pub fn is_none(&self) -> bool {
        self.traces.is_none() || self.traces == Traces::ENDS
    }

    /// True where something may be gone that was left before.
    pub const fn ends(&self) -> bool {
        self.traces.has(Traces::ENDS)
    }

    /// True where something may be left that no check sees.
    pub const fn stains(&self) -> bool {
        self.traces.may_have(Traces::UNNAMED)
    }

    /// The next transaction begins.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Flags, Reading};

    fn gathered(texts: &[&str]) -> Gathered {
        let mut gathered = Gathered::default();
        for text in texts {
            let reading = Reading::of(Flags::POSTGRES, text.as_bytes());
            let left = &reading.facts().left;
            gathered.add(left, left.given(|_| true), text.as_bytes());
        }
        gathered
    }

    #[test]
    fn a_transaction_leaves_what_its_statements_do() {
        assert!(gathered(&["BEGIN", "SELECT * FROM t", "COMMIT"]).is_none());
        let ended = gathered(&["DEALLOCATE a", "UNLISTEN *", "CLOSE c"]);
        assert!(ended.is_none() && ended.ends() && !gathered(&["SELECT 1"]).ends());
        assert!(!gathered(&["PREPARE a AS SELECT 1", "DEALLOCATE a"]).is_none());
        let both = gathered(&["SET app.Tenant = 'x'", "LISTEN a", "RESET APP.tenant"]);
        assert_eq!(both.traces(), Traces::SETTING.and(Traces::LISTEN));
        assert_eq!(both.names(), [Box::from(&b"app.tenant"[..])]);
        assert!(!both.stains());
    }

    #[test]
    fn set_config_may_set_the_role_as_well() {
        let may = |text: &str| gathered(&[text]).traces().has(Traces::ROLE);
        assert!(may("SELECT set_config('role', 'x', false)") && may("SELECT set_config($1, $2, false)"));
        assert!(!may("SELECT set_config('role', 'x', true)") && !may("SELECT set_config('work_mem', '1MB', false)"));
    }

    #[test]
    fn a_setting_whose_name_is_not_told_stains() {
        assert!(!gathered(&["SELECT set_config('app.x', $1, false), set_config('work_mem', '1', false)"]).stains());
        assert!(gathered(&["SELECT set_config($1, $2, false)"]).stains());
        assert!(gathered(&["SELECT f()"]).stains());
        let many: Vec<_> = (0..=NAMES_MAX).map(|n| format!("SET a.b{n} = 1")).collect();
        let many = gathered(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(many.stains() && many.names().len() == NAMES_MAX);
    }
}
