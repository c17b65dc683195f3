//! Logins that Floodwall checks itself: `login = "users"`.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::cluster::{Cluster, run};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::{Scratch, wait_until};
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
    let log = own.site.proxy.log();
    for why in ["wrong password", "no such user", "valid_until is over"] {
        assert!(log.contains(why), "{why}: {log}");
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
    assert!(wait_until(Duration::from_secs(20), || sleeping() == "1"));
    // The command runs below `timeout`, which passes the signal on.
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
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
