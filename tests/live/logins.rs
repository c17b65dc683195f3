//! Logins that Floodwall checks itself: `login = "users"`.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::cluster::{Cluster, run};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{Raw, VERSION_3_0, startup};
use crate::support::site::Site;

/// A site whose proxy checks passwords by a file of users.
struct Own {
    site: Site,
    folder: Scratch,
}

impl Own {
    fn new(label: &str, users: &str) -> Self {
        Self::with(label, users, "")
    }

    /// `overrides` is TOML behind the keys of the listener.
    fn with(label: &str, users: &str, overrides: &str) -> Self {
        let folder = Scratch::new("users");
        let file = folder.path().join("users.toml");
        std::fs::write(&file, users).unwrap();
        let listener = format!("[[listener]]\nlogin = 'users'\nusers_file = '{}'\n", file.display());
        Self { site: Site::new(label, &(listener + overrides)), folder }
    }

    /// A site whose proxy asks the server; `sql` prepares its database.
    fn asking(label: &str, listener: &str, sql: &str) -> Self {
        let folder = Scratch::new("users");
        let overrides = format!("[[listener]]\nlogin = 'query'\n{listener}");
        Self { site: Site::prepared(label, &overrides, sql), folder }
    }

    /// psql with that password: what it prints, or what it complains about.
    fn psql(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        self.psql_at(user, password, &self.site.database, sql)
    }

    fn psql_at(&self, user: &str, password: &str, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = pg("psql", self.site.proxy.port, user, database);
        let out = psql.env("PGPASSWORD", password).args(["-XAtqc", sql]).output().unwrap();
        if out.status.success() { Ok(stdout(&out)) } else { Err(stderr(&out)) }
    }

    fn rewrite(&self, users: &str) {
        std::fs::write(self.folder.path().join("users.toml"), users).unwrap();
        self.site.proxy.console("RELOAD").unwrap();
    }
}

/// What the server stores of a role's password.
fn stored(role: &str) -> String {
    Cluster::shared().sql("postgres", &format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"))
}

#[test]
fn a_verifier_is_all_that_a_login_needs_on_either_side() {
    if direct() {
        return;
    }
    let own = Own::new("verifier", &format!("[[user]]\nname = 'app'\nverifier = '{}'\n", stored("app")));
    assert_eq!(own.psql("app", "app-secret", "SELECT current_user"), Ok("app".to_owned()));
    let mut psql = own.site.program("psql");
    psql.env("PGOPTIONS", "-c statement_timeout=77s").env("PGAPPNAME", "mine").env("PGCLIENTENCODING", "LATIN1");
    let sql = "SELECT current_setting('statement_timeout'), current_setting('application_name'), current_setting('client_encoding')";
    assert_eq!(stdout(&run(psql.args(["-XAtqc", sql]))), "77s|mine|LATIN1");
    assert_eq!(own.site.proxy.metric("floodwall_logins_total", &["outcome=\"accepted\""]), 2.0);
    own.site.finish();
}

#[test]
fn a_password_fits_every_way_of_a_server_to_ask() {
    if direct() {
        return;
    }
    let users = "[[user]]\nname = 'app'\npassword = 'app-secret'\n\
                 [[user]]\nname = 'md5_user'\npassword = 'md5-secret'\n\
                 [[user]]\nname = 'trusted'\npassword = 'anything'\n";
    let own = Own::new("passwords", users);
    for (user, password) in [("app", "app-secret"), ("md5_user", "md5-secret"), ("trusted", "anything")] {
        assert_eq!(own.psql(user, password, "SELECT current_user"), Ok(user.to_owned()));
    }
    let trusted = own.psql("trusted", "", "SELECT 1").unwrap_err();
    assert!(
        trusted.contains("no password supplied") || trusted.contains("password authentication failed"),
        "{trusted}"
    );
    own.site.finish();
}

#[test]
fn a_wrong_password_and_a_name_that_does_not_exist_look_alike() {
    if direct() {
        return;
    }
    let users = format!(
        "[[user]]\nname = 'app'\nverifier = '{}'\n\
         [[user]]\nname = 'floodwall'\npassword = 'monitor-secret'\nvalid_until = 2020-01-01T00:00:00Z\n",
        stored("app")
    );
    let own = Own::new("wrong", &users);
    for (user, password) in [("app", "wrong"), ("nobody", "wrong"), ("floodwall", "monitor-secret")] {
        let told = own.psql(user, password, "SELECT 1").unwrap_err();
        let expected = format!("FATAL:  password authentication failed for user \"{user}\"");
        assert!(told.ends_with(&expected), "{told}");
    }
    for why in ["wrong password", "no such user", "its password has expired (VALID UNTIL"] {
        let told = || own.site.proxy.log().contains(why);
        assert!(wait_until(SOON, told), "{why}: {}", own.site.proxy.log());
    }
    assert_eq!(own.site.proxy.metric("floodwall_logins_total", &["outcome=\"unproven\""]), 3.0);
    assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
    own.site.finish();
}

#[test]
fn nobody_reaches_the_server_without_a_proof() {
    if direct() {
        return;
    }
    let own = Own::new("unproven", "[[user]]\nname = 'trusted'\npassword = 'anything'\n");
    let mut raw = Raw::open(own.site.proxy.port);
    raw.send(&startup(VERSION_3_0, &[("user", "trusted"), ("database", "app")]));
    let asked = raw.message();
    assert_eq!((asked.code, &asked.body[..4]), (b'R', &[0, 0, 0, 10][..]), "{}", asked.summary());
    assert_eq!(own.site.proxy.metric("floodwall_cap_current", &["cap=\"max_server_connections\""]), 0.0);
    // A query in place of the proof.
    raw.send(b"Q\0\0\0\x0dSELECT 1\0");
    assert_eq!(raw.message().sqlstate(), "08P01");
    own.site.finish();
}

#[test]
fn what_the_server_says_of_a_database_is_passed_on() {
    if direct() {
        return;
    }
    let own = Own::new("absent", "[[user]]\nname = 'app'\npassword = 'app-secret'\n");
    let told = own.psql_at("app", "app-secret", "no_such_database", "SELECT 1").unwrap_err();
    assert!(told.ends_with("FATAL:  database \"no_such_database\" does not exist"), "{told}");
    own.site.finish();
}

#[test]
fn which_side_refused_a_login_is_told() {
    if direct() {
        return;
    }
    // Floodwall's own idea of the password is not the server's.
    let other = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let users =
        format!("[[user]]\nname = 'app'\nverifier = '{other}'\n[[user]]\nname = 'md5_user'\npassword = 'pencil'\n");
    let own = Own::new("sides", &users);
    let told = own.psql("app", "pencil", "SELECT 1").unwrap_err();
    assert!(told.contains("FLOODWALL[rule=server_login] the server did not let Floodwall in as \"app\""), "{told}");
    assert!(told.contains("another SCRAM verifier"), "{told}");
    let told = own.psql("md5_user", "pencil", "SELECT 1").unwrap_err();
    assert!(told.contains("password authentication failed for user \"md5_user\""), "{told}");
    assert!(told.contains("The client's own login was right"), "{told}");
    own.site.finish();
}

#[test]
fn who_asks_the_server_for_verifiers_is_not_sent_to_a_file_of_users() {
    if direct() {
        return;
    }
    let other = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let own = Own::asking("another", &format!("{AUTH}auth_query = \"SELECT $1, '{other}'\"\n"), "");
    let told = own.psql("app", "pencil", "SELECT 1").unwrap_err();
    assert!(told.contains("another SCRAM verifier"), "{told}");
    assert!(told.contains("auth_query") && !told.contains("users_file"), "{told}");
    own.site.finish();
}

#[test]
fn a_session_of_ones_own_can_be_cancelled() {
    if direct() {
        return;
    }
    let own = Own::new("own_cancel", "[[user]]\nname = 'app'\npassword = 'app-secret'\n");
    let mut psql = own.site.program("psql");
    psql.args(["-XAtq", "-c", "SELECT pg_sleep(60)"]);
    psql.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let running = psql.spawn().unwrap();
    let sleeping = || {
        own.site.direct_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
        )
    };
    assert!(wait_until(SOON, || sleeping() == "1"));
    // The command runs below `timeout`, which passes the signal on.
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let out = running.wait_with_output().unwrap();
    assert!(stderr(&out).contains("canceling statement due to user request"), "{}", stderr(&out));
    own.site.finish();
}

#[test]
fn a_reload_takes_a_changed_file_of_users() {
    if direct() {
        return;
    }
    let own = Own::new("reloaded", "[[user]]\nname = 'app'\npassword = 'old'\n");
    assert!(own.psql("app", "app-secret", "SELECT 1").is_err());
    own.rewrite("[[user]]\nname = 'app'\npassword = 'app-secret'\n");
    assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
    own.site.finish();
}

#[test]
fn an_entry_of_access_says_how_a_client_proves_who_it_is() {
    if direct() {
        return;
    }
    let users = format!(
        "[[user]]\nname = 'app'\nverifier = '{}'\n\
         [[user]]\nname = 'md5_user'\nmd5 = '{}'\n\
         [[user]]\nname = 'floodwall'\npassword = 'monitor-secret'\n",
        stored("app"),
        stored("md5_user")
    );
    let access = "[[access]]\nuser = 'app'\ndatabase = 'postgres'\nmethod = 'reject'\n\
                  [[access]]\nuser = 'app'\nmethod = 'plain'\n\
                  [[access]]\nuser = 'md5_user'\nmethod = 'md5'\n\
                  [[access]]\nuser = 'floodwall'\naddress = '127.0.0.0/8'\nmethod = 'trust'\n";
    let own = Own::with("access", &users, access);
    // What the client said in the clear answers the server's SCRAM.
    assert_eq!(own.psql("app", "app-secret", "SELECT current_user"), Ok("app".to_owned()));
    assert_eq!(own.psql("md5_user", "md5-secret", "SELECT current_user"), Ok("md5_user".to_owned()));
    assert_eq!(own.psql("floodwall", "", "SELECT current_user"), Ok("floodwall".to_owned()));
    for (user, password) in [("app", "wrong"), ("md5_user", "wrong")] {
        let told = own.psql(user, password, "SELECT 1").unwrap_err();
        assert!(told.contains("password authentication failed"), "{told}");
    }
    for (user, database) in [("app", "postgres"), ("trusted", "app")] {
        let told = own.psql_at(user, "app-secret", database, "SELECT 1").unwrap_err();
        assert!(told.contains("FLOODWALL[rule=access]"), "{told}");
    }
    own.site.finish();
}

/// Tokens of those who keep identities for others are that long. One of 1,025 bytes was wrong, whatever it was.
#[test]
fn a_password_as_long_as_a_token_gets_in_and_on() {
    if direct() {
        return;
    }
    let token = "t0k3n-".repeat(10_900);
    let sql = format!("DROP ROLE IF EXISTS bearer; CREATE ROLE bearer LOGIN PASSWORD '{token}'");
    let own = Own::asking("token", &format!("{AUTH}[[access]]\nuser = 'bearer'\nmethod = 'plain'\n"), &sql);
    assert_eq!(own.psql("bearer", &token, "SELECT current_user"), Ok("bearer".to_owned()));
    let told = own.psql("bearer", &token[1..], "SELECT 1").unwrap_err();
    assert!(told.contains("password authentication failed"), "{told}");
    own.site.finish();
}

#[test]
fn an_empty_password_is_told_in_the_servers_words() {
    if direct() {
        return;
    }
    let user = "[[user]]\nname = 'app'\npassword = 'app-secret'\n";
    let access = "[[access]]\nuser = 'app'\nmethod = 'plain'\n";
    let own = Own::with("empty", user, access);
    let mut raw = Raw::open(own.site.proxy.port);
    raw.send(&startup(VERSION_3_0, &[("user", "app"), ("database", "app")]));
    assert_eq!(raw.message().body[..4], [0, 0, 0, 3]);
    raw.send(b"p\0\0\0\x05\0");
    let told = raw.message();
    assert_eq!(told.sqlstate(), "28P01");
    assert!(told.summary().contains("empty password returned by client"), "{}", told.summary());
    assert_eq!(own.site.proxy.metric("floodwall_logins_total", &["outcome=\"unproven\""]), 1.0);
    assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
    own.site.finish();
}

#[test]
fn wrong_logins_of_an_address_wait_ever_longer_and_hold_up_nobody_else() {
    if direct() {
        return;
    }
    let own = Own::with(
        "patience",
        "[[user]]\nname = 'app'\npassword = 'app-secret'\n",
        "[caps]\nmax_logins = 2\nmax_logins_per_address = 2\n",
    );
    let wrong = |_| own.psql("app", "wrong", "SELECT 1");
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..6).map(|number| scope.spawn(move || wrong(number))).collect();
        // More wait for their answers than may log in.
        let unproven = || own.site.proxy.log().matches("did not prove").count();
        while unproven() < 1 && began.elapsed() < Duration::from_secs(20) {
            assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
        }
        for told in waiting.into_iter().map(|waiting| waiting.join().unwrap()) {
            assert!(told.unwrap_err().contains("password authentication failed"));
        }
    });
    // 0.5 + 1 + 2 + 4 + 4 + 4, side by side: the longest counts.
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
    own.site.finish();
}

const AUTH: &str = "auth = { user = 'postgres', database = 'postgres' }\n";

#[test]
fn the_server_is_asked_for_verifiers() {
    if direct() {
        return;
    }
    let own = Own::asking("query", AUTH, "");
    assert_eq!(own.psql("app", "app-secret", "SELECT current_user"), Ok("app".to_owned()));
    for (user, password) in [("app", "wrong"), ("nobody", "wrong"), ("trusted", "has no password")] {
        let told = own.psql(user, password, "SELECT 1").unwrap_err();
        assert!(told.ends_with(&format!("password authentication failed for user \"{user}\"")), "{told}");
    }
    own.site.finish();
}

#[test]
fn a_password_that_was_valid_until_yesterday_is_none() {
    if direct() {
        return;
    }
    let sql = "DROP ROLE IF EXISTS outdated; CREATE ROLE outdated LOGIN PASSWORD 'old' VALID UNTIL 'yesterday'; \
               DROP ROLE IF EXISTS lasting; CREATE ROLE lasting LOGIN PASSWORD 'new' VALID UNTIL 'infinity'";
    let own = Own::asking("outdated", AUTH, sql);
    let told = own.psql("outdated", "old", "SELECT 1").unwrap_err();
    assert!(told.contains("password authentication failed"), "{told}");
    assert_eq!(own.psql("lasting", "new", "SELECT 1"), Ok("1".to_owned()));
    own.site.finish();
}

/// Notes each question that is asked.
const COUNTING: &str = "CREATE TABLE asked (name text); \
    CREATE FUNCTION public.who(text) RETURNS TABLE (name name, hash text) LANGUAGE plpgsql SECURITY DEFINER AS \
    $$ BEGIN INSERT INTO public.asked VALUES ($1 || current_setting('search_path')); \
    RETURN QUERY SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1; END $$";

#[test]
fn a_storm_of_logins_is_one_question_and_no_client_reaches_its_search_path() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let asked_in = cluster.create_database("asked");
    cluster.sql(&asked_in, COUNTING);
    let listener = format!(
        "auth_query = 'SELECT * FROM public.who($1)'\nauth = {{ user = 'postgres', database = '{asked_in}' }}\n"
    );
    let own = Own::asking("storm", &listener, "");
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    let mut psql = own.site.program("psql");
                    psql.env("PGOPTIONS", "-c search_path=evil");
                    stdout(&run(psql.args(["-XAtqc", "SELECT current_setting('search_path')"])))
                })
            })
            .collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), "evil"));
    });
    assert_eq!(cluster.sql(&asked_in, "SELECT name FROM asked"), "apppg_catalog");
    own.site.finish();
}

#[test]
fn a_password_that_changes_is_found_out_by_the_first_failure() {
    if direct() {
        return;
    }
    let own = Own::asking("changed", AUTH, "DROP ROLE IF EXISTS changing; CREATE ROLE changing LOGIN PASSWORD 'one'");
    assert_eq!(own.psql("changing", "one", "SELECT 1"), Ok("1".to_owned()));
    own.site.direct_sql("ALTER ROLE changing PASSWORD 'two'");
    let followed = wait_until(SOON, || own.psql("changing", "two", "SELECT 1").is_ok());
    assert!(followed, "{}", own.site.proxy.log());
    own.site.finish();
}

/// A user whose password is set once more and stays the same, as where each deploy sets it: with another salt.
struct Renewed {
    own: Own,
    role: String,
}

impl Renewed {
    fn new(pool: &str) -> Self {
        let role = format!("renewed_{pool}");
        let made = format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'same'");
        Self { own: Own::asking(&role, &format!("pool = '{pool}'\n{AUTH}"), &made), role }
    }

    fn renew(&self) {
        self.own.site.direct_sql(&format!("ALTER ROLE {} PASSWORD 'same'", self.role));
    }

    /// Others get in long before the half minute is over for which the old verifier is kept.
    fn expect_in(&self) {
        let in_time = Duration::from_secs(10);
        let followed = wait_until(in_time, || self.own.psql(&self.role, "same", "SELECT 1").is_ok());
        assert!(followed, "{}", self.own.site.proxy.log());
    }
}

#[test]
fn a_password_that_is_set_once_more_keeps_nobody_out() {
    if direct() {
        return;
    }
    let renewed = Renewed::new("session");
    renewed.expect_in();
    renewed.renew();
    renewed.expect_in();
    renewed.own.site.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_password_is_set_once_more_ends_where_its_pool_needs_a_server() {
    if direct() {
        return;
    }
    let renewed = Renewed::new("transaction");
    let Renewed { own, role } = &renewed;
    let mut target = tokio_postgres::Config::new();
    target.host("127.0.0.1").port(own.site.proxy.port).dbname(&own.site.database).user(role).password("same");
    let (old, connection) = target.connect(NoTls).await.unwrap();
    let ended = tokio::spawn(connection);
    old.simple_query("SELECT 1").await.unwrap();
    renewed.renew();
    old.simple_query("SELECT 1").await.expect("a server that is there stays");
    own.site.proxy.console("RECONNECT").unwrap();
    let refused = old.simple_query("SELECT 1").await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
    // It lived on, and each of its statements failed until somebody else logged in.
    let why = timeout(SOON, ended).await.unwrap().unwrap().unwrap_err();
    let told = why.as_db_error().unwrap();
    assert_eq!((told.severity(), told.hint()), ("FATAL", Some("Connect again, with the password as it is now.")));
    renewed.expect_in();
    renewed.own.site.proxy.console("RECONNECT").unwrap();
    renewed.own.site.finish();
}

/// A process that stands still for as long as this lives.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: &str) -> Self {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn a_connection_for_verifiers_that_hangs_is_replaced_and_keeps_nobody_out() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let asked_in = cluster.create_database("hung");
    let listener = format!("auth = {{ user = 'postgres', database = '{asked_in}' }}\n");
    let own = Own::asking("hung", &listener, "DROP ROLE IF EXISTS next; CREATE ROLE next LOGIN PASSWORD 'next'");
    assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
    let asking =
        format!("SELECT pid FROM pg_stat_activity WHERE datname = '{asked_in}' AND application_name LIKE 'floodwall%'");
    // Where the first answer was late, as on a busy machine, it was asked for by a second connection, and the server may not have seen the end
    // of the first: both rows were read as one number.
    let asks = || cluster.sql("postgres", &asking);
    assert!(wait_until(SOON, || asks().lines().count() == 1), "{}", asks());
    let stopped = Stopped::new(&asks());
    // All whose verifier was not known, or no longer, were turned away for as long as it hung.
    assert_eq!(own.psql("next", "next", "SELECT 1"), Ok("1".to_owned()), "{}", own.site.proxy.log());
    drop(stopped);
    own.site.finish();
}

#[test]
fn a_server_that_cannot_be_asked_is_told_as_such() {
    if direct() {
        return;
    }
    let own = Own::asking("unasked", "auth = { user = 'app', password_env = 'HOME' }\n", "");
    let told = own.psql("app", "app-secret", "SELECT 1").unwrap_err();
    assert!(told.contains("FLOODWALL[rule=server] the server could not be asked"), "{told}");
    let heard = |line: &str| line.contains("auth_query failed") && line.contains("listener=\"main\"");
    assert!(wait_until(SOON, || own.site.proxy.log().lines().any(heard)), "{}", own.site.proxy.log());
    own.site.finish();
}

/// What PgBouncer finds by the search path of the user that asks.
#[test]
fn a_function_that_is_asked_without_its_schema_is_told_with_what_to_write() {
    if direct() {
        return;
    }
    let function = "CREATE FUNCTION hash_of(text) RETURNS TABLE (name name, hash text) LANGUAGE sql SECURITY DEFINER AS \
                    'SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1'";
    let query = |name: &str, database: &str| {
        format!("auth_query = 'SELECT * FROM {name}($1)'\nauth = {{ user = 'postgres', database = '{database}' }}\n")
    };
    let asked_in = Cluster::shared().create_database("hashes");
    Cluster::shared().sql(&asked_in, function);
    let own = Own::asking("unqualified", &query("hash_of", &asked_in), "");
    assert!(own.psql("app", "app-secret", "SELECT 1").is_err());
    let heard = |line: &str| line.contains("(42883)") && line.contains("has to be written in full");
    assert!(wait_until(SOON, || own.site.proxy.log().lines().any(heard)), "{}", own.site.proxy.log());
    own.site.finish();
    let own = Own::asking("qualified", &query("public.hash_of", &asked_in), "");
    assert_eq!(own.psql("app", "app-secret", "SELECT 1"), Ok("1".to_owned()));
    own.site.finish();
}
