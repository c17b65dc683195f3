//! The texts that clients send, a few values for each, so that many clients send the same.

use crate::seed::Dice;

/// A statement, and the values of its parameters where it is sent with some.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) sql: String,
    pub(super) values: Vec<String>,
    /// The types that its parameters are said to have, 0 where the server finds out; fewer than there are values is as good.
    pub(super) types: Vec<u32>,
    form: Form,
}

/// How values stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    #[default]
    Literals,
    Parameters,
    /// Parameters whose types the client says.
    Typed,
}

/// What a text may do to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reads,
    Writes,
    Sets,
    /// Something that keeps the server with its client.
    Pins,
    /// Another role, for which names mean other tables, of which it may read some.
    Role,
    /// The end of that.
    Unpins,
    Transaction,
}

/// The role that clients take on.
pub(super) const ROLE: &str = "CREATE ROLE other; GRANT other TO trusted";

/// What every database begins with. The same table in five places, each of its own columns.
pub(super) const SCENE: &str = "
    DROP SCHEMA IF EXISTS public, other, s0, s1, s2 CASCADE; CREATE SCHEMA public; CREATE SCHEMA other; CREATE SCHEMA s0; CREATE SCHEMA s1; CREATE SCHEMA s2;
    CREATE TABLE public.t (k int PRIMARY KEY, v text, w int DEFAULT 7);
    CREATE TABLE other.t (k int PRIMARY KEY, v text, x int DEFAULT 8);
    CREATE TABLE s0.t (k int PRIMARY KEY, v text);
    CREATE TABLE s1.t (k int PRIMARY KEY, v varchar(3));
    CREATE TABLE s2.t (k int PRIMARY KEY, v text, at timestamptz DEFAULT '2026-01-02 03:04:05+00');
    CREATE TABLE public.numbered (id serial, v text);
    CREATE TABLE public.watched (k int, v text);
    INSERT INTO public.t SELECT n, 'p' || n FROM generate_series(1, 3) n;
    INSERT INTO s0.t SELECT n, 'z' || n FROM generate_series(1, 3) n;
    INSERT INTO s1.t SELECT n, 'o' || n FROM generate_series(1, 3) n;
    INSERT INTO s2.t SELECT n, 't' || n FROM generate_series(1, 3) n;
    CREATE FUNCTION say(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''said %'', n; RETURN n; END';
    CREATE FUNCTION zone(z text) RETURNS text LANGUAGE sql AS 'SELECT set_config(''TimeZone'', z, false)';
    CREATE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS
        'BEGIN CREATE TEMP TABLE IF NOT EXISTS t (k int, hidden text); END';
    CREATE FUNCTION locks(n int) RETURNS bool LANGUAGE sql AS 'SELECT pg_try_advisory_lock(n)';
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_try_advisory_lock(new.k); PERFORM set_config(''work_mem'', ''3MB'', false); RETURN new; END';
    CREATE TRIGGER noted BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE TABLE public.parent (k int PRIMARY KEY);
    CREATE TABLE public.late (k int REFERENCES public.parent DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO public.parent VALUES (1);
    SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
    CREATE PROCEDURE commits(n int) LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.numbered (v) VALUES (''c'' || n); COMMIT; PERFORM 1 / (n - 2); END';
    CREATE PROCEDURE goes_back(n int) LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.numbered (v) VALUES (''r'' || n); ROLLBACK; INSERT INTO public.numbered (v) VALUES (''s'' || n); END';
    CREATE PROCEDURE other.sleeps(n int) LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.numbered (v) VALUES (''k'' || n); COMMIT; INSERT INTO public.numbered (v) VALUES (''l'' || n);
         PERFORM set_config(''search_path'', ''s1'', false), set_config(''TimeZone'', ''Asia/Tokyo'', false), pg_sleep(600); COMMIT; END';
    CREATE PROCEDURE sets(path text) LANGUAGE plpgsql AS
        'BEGIN PERFORM set_config(''search_path'', path, false); COMMIT; PERFORM set_config(''TimeZone'', ''PST8PDT'', false); END';
    CREATE FUNCTION goes(path text) RETURNS text LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''SET search_path TO '' || path; RETURN current_schema(); END';
    CREATE VIEW seen AS SELECT k, v, say(k) FROM public.t;
    INSERT INTO other.t SELECT n, 'r' || n FROM generate_series(1, 3) n;
    GRANT ALL ON SCHEMA s1, other TO other; GRANT USAGE ON SCHEMA public TO other;
    GRANT SELECT ON public.t, s1.t TO other; GRANT ALL ON other.t TO other;
    GRANT ALL ON SCHEMA s0, s1, s2, public TO trusted;
    GRANT ALL ON ALL TABLES IN SCHEMA s0, s1, s2, public TO trusted;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO trusted;";

impl Text {
    pub(super) fn of(kind: Kind, form: Form, dice: &mut Dice) -> Self {
        let mut text = Self { form, ..Self::default() };
        text.sql = match kind {
            Kind::Reads => text.reads(dice),
            Kind::Writes => text.writes(dice),
            Kind::Sets => text.sets(dice),
            Kind::Pins => text.pins(dice),
            Kind::Role => (*dice.one(&ROLES)).to_owned(),
            Kind::Unpins => (*dice.one(&UNPINS)).to_owned(),
            Kind::Transaction => (*dice.one(&TRANSACTION)).to_owned(),
        };
        text
    }

    fn int(&mut self, dice: &mut Dice) -> String {
        let value = dice.below(5).to_string();
        if self.form == Form::Literals {
            return value;
        }
        self.values.push(value);
        self.parameter("int", &[0, INT4, INT8, TEXT, UNKNOWN], dice)
    }

    fn text(&mut self, of: &str, dice: &mut Dice) -> String {
        if self.form == Form::Literals {
            return format!("'{of}'");
        }
        self.values.push(of.to_owned());
        self.parameter("text", &[0, TEXT, VARCHAR, UNKNOWN], dice)
    }

    /// The last parameter, of a type that the text says, or the client, or both.
    fn parameter(&mut self, kind: &str, types: &[u32], dice: &mut Dice) -> String {
        let at = self.values.len();
        if self.form == Form::Typed {
            self.types.push(*dice.one(types));
            if dice.once_in(2) {
                return format!("${at}");
            }
        }
        format!("${at}::{kind}")
    }

    fn reads(&mut self, dice: &mut Dice) -> String {
        if dice.once_in(3) {
            return (*dice.one(&READS)).to_owned();
        }
        let n = self.int(dice);
        match dice.below(10) {
            9 => format!("SELECT g, repeat('y', 900 * {n}) FROM generate_series(1, 40) g"),
            0 => format!("SELECT {n} + 1"),
            1 => format!("SELECT k, v FROM t WHERE k = {n}"),
            2 => format!("SELECT * FROM t WHERE k > {n} ORDER BY 1"),
            3 => format!("SELECT g, 'x' || g FROM generate_series(1, {n} * 3) g"),
            4 => format!("SELECT repeat('x', {n} * 30000)"),
            5 => format!("SELECT 6 / {n}"),
            6 => format!("SELECT say({n})"),
            7 => format!("SELECT * FROM seen WHERE k = {n}"),
            _ => format!("SELECT '2026-03-04 05:06:07+00'::timestamptz, '1 day 2:03'::interval, {n}"),
        }
    }

    fn writes(&mut self, dice: &mut Dice) -> String {
        let n = self.int(dice);
        let word = *dice.one(&["a", "bb", "too long"]);
        let word = self.text(word, dice);
        match dice.below(8) {
            0 => format!("INSERT INTO t VALUES ({n}, {word}) ON CONFLICT (k) DO NOTHING"),
            1 => format!("INSERT INTO t VALUES ({n}, {word})"),
            2 => format!("UPDATE t SET v = {word} WHERE k = {n} RETURNING *"),
            3 => format!("DELETE FROM t WHERE k = {n} AND v <> {word}"),
            4 => format!("INSERT INTO numbered (v) SELECT {word} WHERE {n} > 0 RETURNING v"),
            5 => format!("INSERT INTO watched VALUES ({n}, {word})"),
            6 => format!("WITH new AS (INSERT INTO numbered (v) VALUES ({word}) RETURNING v) SELECT v, {n} FROM new"),
            _ => format!("CREATE TABLE IF NOT EXISTS made AS SELECT {n} AS n, {word} AS v"),
        }
    }

    fn sets(&mut self, dice: &mut Dice) -> String {
        let (name, values) = dice.one(&SETTINGS);
        let value = *dice.one(values);
        match dice.below(10) {
            0..=2 => format!("SET {name} TO '{value}'"),
            3 => format!("SET LOCAL {name} TO '{value}'"),
            4 => format!("SET SESSION {name} = '{value}'"),
            5 => format!("RESET {name}"),
            6 => (*dice.one(&UNTOLD)).to_owned(),
            7 => format!("SELECT set_config('{name}', {}, true)", self.text(value, dice)),
            _ => format!("SELECT set_config('{name}', {}, false)", self.text(value, dice)),
        }
    }

    fn pins(&mut self, dice: &mut Dice) -> String {
        if dice.once_in(2) {
            return (*dice.one(&PINS)).to_owned();
        }
        let n = self.int(dice);
        match dice.below(5) {
            0 => format!("SELECT pg_try_advisory_lock({n})"),
            1 => format!("SELECT pg_try_advisory_xact_lock({n})"),
            2 => format!("SELECT locks({n})"),
            3 => format!("SELECT pg_notify('b', {n}::text)"),
            _ => format!("SELECT pg_advisory_unlock({n})"),
        }
    }
}

const SETTINGS: [(&str, &[&str]); 16] = [
    ("TimeZone", &["UTC", "PST8PDT", "Asia/Tokyo"]),
    ("DateStyle", &["ISO, DMY", "SQL, MDY", "German"]),
    ("IntervalStyle", &["postgres", "iso_8601"]),
    ("bytea_output", &["escape", "hex"]),
    ("extra_float_digits", &["0", "-5"]),
    ("search_path", &["s0", "s1", "s2", "public", "nowhere"]),
    ("search_path", &["s1", "s2"]),
    ("app.x", &["one", "two", "it''s"]),
    ("work_mem", &["1MB", "7MB", "wrong"]),
    ("application_name", &["a", "b"]),
    ("client_encoding", &["UTF8", "LATIN1"]),
    ("standard_conforming_strings", &["on", "off"]),
    ("default_transaction_isolation", &["repeatable read", "read committed"]),
    ("default_transaction_read_only", &["on", "off"]),
    ("client_min_messages", &["error", "notice"]),
    ("xmloption", &["document", "content"]),
];

/// What is set by other words than SET and a name.
const UNTOLD: [&str; 15] = [
    "RESET ALL",
    "SET TimeZone TO DEFAULT",
    "DISCARD ALL",
    "SELECT zone('Asia/Tokyo')",
    "SELECT goes('s1')",
    "SELECT goes('s2, s0')",
    "CALL sets('s1')",
    "CALL sets('s2')",
    "DO $$BEGIN EXECUTE 'SET search_path TO s1'; END$$",
    "DO $$BEGIN SET LOCAL work_mem = '5MB'; SET search_path = s2; END$$",
    "DO $$BEGIN PERFORM set_config('DateStyle', 'German', false); RAISE EXCEPTION 'set'; END$$",
    "SELECT (SELECT set_config('work_mem', '3MB', false))",
    "WITH s AS (SELECT set_config('search_path', 's0', false) AS path) SELECT path FROM s",
    "SELECT set_config('search_path', 's' || k, false) FROM public.t WHERE k = 2",
    "SELECT set_config('app.x', v, false), set_config('search_path', 's1', true) FROM public.t WHERE k = 1",
];

const READS: [&str; 51] = [
    "SELECT current_user, session_user",
    "SELECT '2026-01-02 03:04:05'::timestamptz, '01/02/2026'::date",
    "SELECT '1 day 2 hours'::interval, '\\x4142'::bytea, 1.0::float8 / 3",
    "SELECT chr(233), 'é'",
    "SELECT current_schema(), current_schemas(false)::text",
    "SELECT nullif(current_setting('app.x', true), ''), current_setting('work_mem')",
    "SELECT * FROM t ORDER BY 1",
    "TABLE t",
    "SELECT nosuch",
    "SELEC 1",
    "",
    "SELECT count(*) FROM pg_cursors WHERE is_holdable",
    "SELECT * FROM pg_listening_channels() ORDER BY 1",
    "SELECT name FROM pg_prepared_statements WHERE from_sql ORDER BY 1",
    "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' ORDER BY 1",
    "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted ORDER BY 1",
    "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction_%' ORDER BY 1",
    "SHOW TimeZone",
    "SHOW search_path",
    "SHOW work_mem",
    "SHOW application_name",
    "SHOW transaction_isolation",
    "EXPLAIN (COSTS OFF) SELECT * FROM t WHERE k = 1",
    "DO $$BEGIN RAISE NOTICE 'done'; END$$",
    "EXECUTE q0",
    "EXECUTE q1(3)",
    "COPY (SELECT * FROM t ORDER BY 1) TO STDOUT",
    "FETCH 2 FROM held",
    "FETCH BACKWARD 1 FROM held",
    "MOVE 1 FROM c",
    "FETCH 1 FROM c",
    "SELECT v FROM numbered ORDER BY id LIMIT 3",
    "VALUES (1, 'a'), (2, NULL)",
    "DO $$BEGIN RAISE WARNING 'careful'; RAISE LOG 'unheard'; RAISE DEBUG 'small'; RAISE INFO 'always'; END$$",
    "DO $$BEGIN RAISE EXCEPTION 'thrown' USING ERRCODE = 'P0099', DETAIL = 'more', HINT = 'less'; END$$",
    "DO $$BEGIN PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'caught'; END$$",
    "CALL commits(1)",
    "CALL commits(2)",
    "CALL goes_back(1)",
    "SELECT lo_from_bytea(9, 'abc')",
    "SELECT lo_put(9, 1, 'xy'), lo_get(9)",
    "SELECT lo_open(9, 393216)",
    "SELECT loread(0, 2)",
    "SELECT lo_unlink(9)",
    "INSERT INTO public.late VALUES (9)",
    "INSERT INTO public.late VALUES (1)",
    "SELECT application_name = current_setting('application_name') FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    "FETCH ALL FROM held",
    "FETCH 1 FROM b",
    "SELECT pg_temp.f()",
    "SELECT nextval('numbered_id_seq') > 0, lastval() > 0, currval('numbered_id_seq') > 0",
];

const PINS: [&str; 32] = [
    "CREATE TEMP TABLE t (k int, mine text)",
    "CREATE TEMP TABLE other (k int)",
    "CREATE TEMP TABLE gone (k int) ON COMMIT DROP",
    "INSERT INTO other VALUES (1) RETURNING k",
    "SELECT hides()",
    "LISTEN a",
    "LISTEN b",
    "NOTIFY a",
    "NOTIFY a, 'word'",
    "DECLARE held CURSOR WITH HOLD FOR SELECT * FROM t ORDER BY 1",
    "DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 5)",
    "PREPARE q0 AS SELECT * FROM t ORDER BY 1",
    "PREPARE q1 (int) AS SELECT $1 + 1",
    "SELECT 1 AS k INTO TEMP other",
    "CREATE TEMP VIEW viewed AS SELECT 1 AS one",
    "CREATE OR REPLACE TEMP VIEW viewed AS SELECT 2 AS one, 3 AS two",
    "TABLE viewed",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 41'",
    "CREATE TEMP SEQUENCE counted",
    "SELECT nextval('counted')",
    "SELECT setval('counted', 5)",
    "CREATE TEMP TABLE emptied (k int) ON COMMIT DELETE ROWS",
    "INSERT INTO emptied VALUES (1) RETURNING (SELECT count(*) FROM emptied)",
    "DECLARE b BINARY CURSOR FOR SELECT 258",
    "DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT k FROM t ORDER BY 1 DESC",
    "SELECT pg_try_advisory_lock_shared(3), pg_try_advisory_lock(1, 2)",
    "SELECT pg_advisory_unlock_shared(3)",
    "DO $$BEGIN CREATE TEMP TABLE IF NOT EXISTS other (k int); END$$",
    "DO $$BEGIN PERFORM pg_try_advisory_lock(4); RAISE EXCEPTION 'locked'; END$$",
    "SET ROLE NONE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS never int, DROP COLUMN never",
];

/// Types by their numbers; the last one is as good as none.
const INT4: u32 = 23;
const INT8: u32 = 20;
const TEXT: u32 = 25;
const VARCHAR: u32 = 1043;
const UNKNOWN: u32 = 705;

const ROLES: [&str; 14] = [
    "SET ROLE other",
    "SET ROLE other",
    "SET LOCAL ROLE other",
    "SET LOCAL ROLE other",
    "SET LOCAL ROLE NONE",
    "SET ROLE nobody",
    "SET ROLE NONE",
    "RESET ROLE",
    "SELECT set_config('role', 'other', true)",
    "SELECT set_config('role', 'other', false)",
    "SET SESSION AUTHORIZATION trusted",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET LOCAL SESSION AUTHORIZATION trusted",
    "RESET SESSION AUTHORIZATION",
];

const UNPINS: [&str; 12] = [
    "DROP TABLE other",
    "UNLISTEN *",
    "UNLISTEN a",
    "CLOSE held",
    "CLOSE ALL",
    "DEALLOCATE q0",
    "DEALLOCATE ALL",
    "DISCARD TEMP",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "DISCARD ALL",
    "SELECT pg_advisory_unlock_all()",
];

const TRANSACTION: [&str; 28] = [
    "BEGIN",
    "BEGIN",
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "COMMIT",
    "COMMIT AND CHAIN",
    "ROLLBACK",
    "ROLLBACK AND CHAIN",
    "SAVEPOINT s",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "SET TRANSACTION READ ONLY",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "SET CONSTRAINTS ALL DEFERRED",
    "SAVEPOINT u",
    "ROLLBACK TO u",
    "RELEASE SAVEPOINT u",
    "SAVEPOINT s; SET LOCAL search_path TO s1; ROLLBACK TO s",
    "BEGIN; SET search_path TO s2; ROLLBACK",
    "COMMIT; BEGIN",
    "ABORT",
    "END",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
];

/// What is cancelled.
pub(super) const SLEEPS: &str = "SELECT pg_sleep(600)";

/// What is broken off while it sleeps, behind a COMMIT of its own. Its schema is on no path: a server tells it by the name that it had there
/// when it was first called.
pub(super) const COMMITS_AND_SLEEPS: &str = "CALL other.sleeps(1)";

/// What shows that all before it is answered.
pub(super) const THE_END: &str = "SELECT 'the end'";

/// Ends all prepared statements without a word.
pub(super) const FORGETS: &str = "DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$";

/// Does it make a temporary table that hides another one?
pub(super) fn hides(sql: &str) -> bool {
    ["hides()", "TEMP TABLE t "].iter().any(|word| sql.contains(word))
}

/// What takes away all that pins a server, in words that say so one by one.
pub(super) const LETS_GO: [&str; 7] = [
    "ROLLBACK",
    "RESET ROLE",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DO $$DECLARE p text; BEGIN FOR p IN SELECT name FROM pg_prepared_statements WHERE from_sql LOOP \
     EXECUTE 'DEALLOCATE ' || quote_ident(p); END LOOP; END$$",
];
