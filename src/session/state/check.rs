//! The question to a server before it is given back, and what its answer makes of it.
//!
//! Only what may be left is asked about, in one statement whose every name is qualified, since the session may look for tables and
//! functions anywhere. Sources: PostgreSQL manual, "System Views" (`pg_settings`, `pg_locks`, `pg_cursors`,
//! `pg_prepared_statements`), "System Information Functions"; for what hangs on `pg_temp`: `RemoveTempRelations` (`namespace.c`),
//! which finds it by `pg_depend` as well.

use bytes::BytesMut;

use super::gathered::Gathered;
use super::pins::{Reason, Reasons};
use super::settings::{Settings, TooMany};
use crate::sql::facts::Traces;
use crate::wire::pg::own::{self, Columns};

/// What a server is to the client that had it, once its transaction is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Why it stays with its client until a later check finds it free, or the client leaves. None: it may go to anybody.
    pub reasons: Reasons,
    /// The settings that the server has.
    pub server: Settings,
    /// What the client is to find, there or on its next server: the same, and what it set back to a default of its start-up.
    pub client: Settings,
    /// How many statements it has that the protocol prepared, where it was asked: a function may have ended them, which nobody is told.
    pub prepared: Option<usize>,
}

/// What the question asks about: what the transaction may have left, and what pinned the server before.
fn asks(gathered: &Gathered, pinned: Reasons, reason: Reason) -> bool {
    let traces = match reason {
        Reason::Temporary => Traces::TEMP,
        Reason::AdvisoryLock => Traces::ADVISORY,
        Reason::Listen => Traces::LISTEN,
        Reason::Cursor => Traces::HOLD,
        Reason::Prepared => Traces::PREPARED,
        Reason::Role => Traces::ROLE,
        Reason::Library => return false,
    };
    let discards = gathered.traces().has(Traces::DISCARD);
    pinned.has(reason) || discards || gathered.traces().may_have(traces)
}

/// Writes the question. `user` is who logged in; `known` are the settings that the client has, of which those with a dot are asked for by name.
pub fn question(gathered: &Gathered, pinned: Reasons, known: &Settings, user: &[u8], out: &mut BytesMut) {
    let mut sql = String::from(SETTINGS);
    let mut values: Vec<&[u8]> = Vec::new();
    for reason in Reason::ALL.into_iter().filter(|&reason| asks(gathered, pinned, reason)) {
        sql.push_str(part(reason));
    }
    if asks(gathered, pinned, Reason::Role) {
        sql.push_str(LOGIN);
        values.push(user);
    }
    for name in names(gathered, known) {
        values.push(name);
        sql.push_str(&format!(
            " UNION ALL SELECT 'setting', ${0}::pg_catalog.text, pg_catalog.current_setting(${0}::pg_catalog.text, true)",
            values.len()
        ));
    }
    own::ask(&sql, &values, out);
    own::sync(out);
}

/// Settings that the server may not list: those with a dot that the client is known to have, or may have set now.
fn names<'a>(gathered: &'a Gathered, known: &'a Settings) -> impl Iterator<Item = &'a [u8]> {
    let dotted = |name: &&[u8]| name.contains(&DOT);
    let older = known.iter().map(|setting| &*setting.name).filter(dotted);
    let newer = gathered.names().iter().map(|name| &**name).filter(|name| known.value(name).is_none());
    older.chain(newer)
}

/// Settings that are the session's own. A literal of a column needs its type once.
const SETTINGS: &str = "SELECT 'setting'::pg_catalog.text, s.name::pg_catalog.text, s.setting::pg_catalog.text \
                        FROM pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) 'session'";

const fn part(reason: Reason) -> &'static str {
    match reason {
        Reason::Temporary => {
            " UNION ALL SELECT 'temp', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_depend d \
             WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass \
             AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
        }
        Reason::AdvisoryLock => {
            " UNION ALL SELECT 'advisory_lock', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l \
             WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' \
             AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"
        }
        Reason::Listen => {
            " UNION ALL SELECT 'listen', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"
        }
        Reason::Cursor => {
            " UNION ALL SELECT 'cursor', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors c WHERE c.is_holdable)"
        }
        Reason::Prepared => {
            " UNION ALL SELECT CASE WHEN p.from_sql THEN 'prepare' ELSE 'ours' END, NULL, pg_catalog.count(*)::pg_catalog.text \
             FROM pg_catalog.pg_prepared_statements p GROUP BY p.from_sql"
        }
        // A role that ALTER ROLE or ALTER DATABASE gives at login is nobody's doing; the one for role and database prevails.
        Reason::Role => {
            " UNION ALL SELECT 'role', NULL, NULL WHERE \
             pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) coalesce((SELECT pg_catalog.substr(c.setting, 6) \
             FROM pg_catalog.pg_db_role_setting g, LATERAL pg_catalog.unnest(g.setconfig) AS c(setting) \
             WHERE pg_catalog.starts_with(c.setting, 'role=') \
             AND g.setrole OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid, (SELECT r.oid FROM pg_catalog.pg_roles r \
             WHERE r.rolname OPERATOR(pg_catalog.=) session_user)]) \
             AND g.setdatabase OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid, (SELECT d.oid FROM pg_catalog.pg_database d \
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())]) \
             ORDER BY g.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid, \
             g.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid LIMIT 1), 'none')"
        }
        Reason::Library => "",
    }
}

/// The first value is who logged in.
const LOGIN: &str =
    " UNION ALL SELECT 'role', NULL, NULL WHERE session_user OPERATOR(pg_catalog.<>) $1::pg_catalog.text";

/// What the rows of the answer say so far.
#[derive(Debug, Default)]
pub struct Findings {
    reasons: Reasons,
    settings: Vec<Pair>,
    ours: usize,
}

/// Name and value.
type Pair = (Box<[u8]>, Box<[u8]>);

impl Findings {
    /// Takes in a row.
    pub fn row(&mut self, mut columns: Columns<'_>) {
        let (what, name, value) = (columns.next(), columns.next(), columns.next());
        match (what.and_then(Reason::of), name, value) {
            (Some(reason), _, _) => self.reasons = self.reasons.and(reason),
            (None, _, Some(count)) if what == Some(OURS) => self.ours = counted(count),
            // One that has been reset, or never was set, is empty: there is no difference to keep.
            (None, Some(name), Some(value)) if !(value.is_empty() && name.contains(&DOT)) => {
                self.settings.push((name.into(), value.into()));
            }
            (None, ..) => {}
        }
    }

    /// Decides, once the answer is complete. `startup` are the settings that the client asked for when it came.
    ///
    /// # Errors
    /// The session has more settings than are kept: close the server, and tell the client.
    pub fn decide(self, gathered: &Gathered, pinned: Reasons, startup: &Settings) -> Result<Decision, TooMany> {
        let mut reasons = self.reasons;
        if gathered.traces().has(Traces::LIBRARY) || pinned.has(Reason::Library) {
            reasons = reasons.and(Reason::Library);
        }
        // RESET brings a session's settings back to those of its start-up packet, which the server never saw from this client.
        let from_startup = startup.iter().map(|setting| (&*setting.name, &*setting.value));
        let found = self.settings.iter().map(|(name, value)| (&**name, &**value));
        let client = Settings::new(from_startup.chain(found))?;
        let prepared = asks(gathered, pinned, Reason::Prepared).then_some(self.ours);
        Ok(Decision { reasons, client, server: Settings::new(self.settings)?, prepared })
    }
}

const DOT: u8 = b'.';
/// What a row is called that counts what the protocol prepared.
const OURS: &[u8] = b"ours";

/// A number in decimal digits; what is none counts as many, of which nothing is missing.
fn counted(digits: &[u8]) -> usize {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::facts::Left;
    use crate::wire::pg::frame::server_head;

    fn gathered(traces: Traces) -> Gathered {
        let mut gathered = Gathered::default();
        gathered.add(&Left { traces, ..Left::default() }, traces, b"");
        gathered
    }

    fn asked(gathered: &Gathered, pinned: Reasons) -> String {
        let mut out = BytesMut::new();
        question(gathered, pinned, &Settings::new([("a.b", "x"), ("work_mem", "1")]).unwrap(), b"app", &mut out);
        out.escape_ascii().to_string()
    }

    fn found(rows: &[[&str; 3]]) -> Findings {
        let mut findings = Findings::default();
        for row in rows {
            let body: Vec<u8> = row
                .iter()
                .flat_map(|value| [&(value.len() as u32).to_be_bytes()[..], value.as_bytes()].concat())
                .collect();
            let size = (body.len() as u32 + 6).to_be_bytes();
            let code = crate::wire::pg::code::server::DATA_ROW;
            let frame = [&[code][..], &size, &[0, 3], &body].concat();
            let head = server_head(&frame).unwrap().unwrap();
            if let own::Event::Row(columns) = own::event(head, &frame) {
                findings.row(columns);
            }
        }
        findings
    }

    #[test]
    fn only_what_may_be_left_is_asked_about() {
        let of_setting = asked(&gathered(Traces::SETTING), Reasons::NONE);
        assert!(of_setting.contains("pg_settings") && of_setting.contains("a.b"), "{of_setting}");
        assert!(!of_setting.contains("pg_locks") && !of_setting.contains("work_mem"), "{of_setting}");
        let pinned = asked(&gathered(Traces::SETTING), Reasons::NONE.and(Reason::AdvisoryLock));
        assert!(pinned.contains("pg_locks") && !pinned.contains("pg_cursors"), "{pinned}");
        for all in [Traces::UNKNOWN, Traces::DISCARD] {
            let all = asked(&gathered(all), Reasons::NONE);
            let parts = ["pg_depend", "pg_locks", "pg_cursors", "from_sql", "pg_listening", "'role'", "session_user"];
            assert!(parts.iter().all(|part| all.contains(&part.escape_default().to_string())), "{all}");
        }
    }

    #[test]
    fn settings_belong_to_the_client_and_the_rest_pins() {
        let startup = Settings::new([("application_name", "web"), ("timezone", "UTC")]).unwrap();
        let rows = [["setting", "TimeZone", "PST8PDT"], ["setting", "app.x", "1"], ["setting", "app.y", ""]];
        let decision = found(&rows).decide(&gathered(Traces::SETTING), Reasons::NONE, &startup).unwrap();
        assert!(decision.reasons.is_none());
        assert_eq!(decision.server, Settings::new([("timezone", "PST8PDT"), ("app.x", "1")]).unwrap());
        let expected = [("application_name", "web"), ("timezone", "PST8PDT"), ("app.x", "1")];
        assert_eq!(decision.client, Settings::new(expected).unwrap());

        let rows = [["temp", "", ""], ["role", "", ""], ["role", "", ""], ["setting", "a", "1"]];
        let decision = found(&rows).decide(&gathered(Traces::UNKNOWN), Reasons::NONE, &startup).unwrap();
        let reasons = Reasons::NONE.and(Reason::Temporary).and(Reason::Role);
        let server = Settings::new([("a", "1")]).unwrap();
        // A pinned client finds the defaults of its start-up as well.
        let client = Settings::new([("a", "1"), ("application_name", "web"), ("timezone", "UTC")]).unwrap();
        assert_eq!(decision, Decision { reasons, server, client, prepared: Some(0) });
    }

    #[test]
    fn what_the_protocol_prepared_is_counted_where_it_may_be_gone() {
        let rows = [["ours", "", "12"], ["prepare", "", "3"]];
        for (traces, expected) in [(Traces::UNKNOWN, Some(12)), (Traces::PREPARED, Some(12)), (Traces::SETTING, None)] {
            let decision = found(&rows).decide(&gathered(traces), Reasons::NONE, &Settings::default()).unwrap();
            assert_eq!(decision.prepared, expected);
        }
    }

    #[test]
    fn what_is_gone_unpins_and_a_library_never_is() {
        let pinned = Reasons::NONE.and(Reason::Listen);
        let decide = |pinned| found(&[]).decide(&gathered(Traces::LISTEN), pinned, &Settings::default()).unwrap();
        assert!(decide(pinned).reasons.is_none());
        let kept = Reasons::NONE.and(Reason::Library);
        assert_eq!(decide(kept).reasons, kept);
        let loads = found(&[]).decide(&gathered(Traces::LIBRARY), Reasons::NONE, &Settings::default()).unwrap();
        assert_eq!(loads.reasons, kept);
    }
}
