//! Who gets in, and what those learn who don't.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use floodwall::config::Role;
use floodwall::console::{Accounts, Doors, OpenError};

use crate::support::{Steer, exists, user, users};

#[test]
fn the_generated_password_logs_admin_in() {
    let steer = Steer::start(&[]);
    let path = steer.state.path().join("console.password");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&path).unwrap();
    let output = steer.psql("admin", password.trim_end(), "KILL CLIENT 9");
    assert!(output.err.contains("42704"), "{}", output.err);
    assert!(!steer.psql("admin", "wrong", "SHOW VERSION").ok);
}

#[test]
fn a_wrong_password_and_an_unknown_name_look_alike() {
    let steer = Steer::start(&users());
    let text = |name: &str| {
        let output = steer.psql(name, "wrong", "SHOW VERSION");
        assert!(!output.ok);
        output.err.replace(name, "NAME")
    };
    let known = text("sre");
    assert!(known.contains("password authentication failed for user \"NAME\""), "{known}");
    assert_eq!(known, text("nobody"));
    assert!(steer.sources.metrics.render().contains("floodwall_console_logins_total{outcome=\"refused\"} 2"));
}

#[test]
fn reload_changes_who_gets_in() {
    let steer = Steer::start(&users());
    steer.accounts.replace(&[user("new", Role::Read, "other")]);
    assert!(steer.psql("new", "other", "SHOW VERSION").ok);
    assert!(!steer.psql("sre", "admin secret", "SHOW VERSION").ok);
}

#[test]
fn the_unix_socket_wants_no_password_of_us() {
    let steer = Steer::start(&users());
    assert_eq!(fs::metadata(steer.socket()).unwrap().mode() & 0o777, 0o600);
    let output = steer.psql_unix("KILL CLIENT 9");
    assert!(output.err.contains("42704"), "an admin: {}", output.err);
}

#[test]
fn the_unix_socket_refuses_another_user() {
    // Only root can become somebody else.
    if !fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0) {
        return;
    }
    let steer = Steer::start(&users());
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    [steer.state.path(), &steer.socket()].into_iter().for_each(open);
    let script = format!("psql -X -h {} -p 9301 -U admin -d console -c 'SHOW VERSION'", steer.state.path().display());
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", &script])
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && err.contains("peer authentication failed"), "{err}");
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(&users(), dir.path()).unwrap();
    let path = dir.path().join("new/.s.PGSQL.9301");
    let first = Doors::open(None, Some(&path), &accounts).await.unwrap();
    assert_eq!(fs::metadata(dir.path().join("new")).unwrap().mode() & 0o777, 0o700);
    assert!(UnixStream::connect(&path).is_ok());
    assert!(matches!(Doors::open(None, Some(&path), &accounts).await, Err(OpenError::Listen { .. })));
    drop(first);
    assert!(!exists(&path));
    // A process that was killed leaves its socket.
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    // It never listened: what another test starts at this moment may have it for a while longer.
    drop(socket);
    assert!(exists(&path) && Doors::open(None, Some(&path), &accounts).await.is_ok());
}

#[tokio::test]
async fn other_hosts_need_a_chosen_password() {
    let dir = tempfile::tempdir().unwrap();
    let everywhere = Some("0.0.0.0:0".parse().unwrap());
    let generated = Accounts::open(&[], dir.path()).unwrap();
    assert!(matches!(Doors::open(everywhere, None, &generated).await, Err(OpenError::Exposed(_))));
    let chosen = Accounts::open(&users(), dir.path()).unwrap();
    assert!(Doors::open(everywhere, None, &chosen).await.is_ok());
}

/// The name that somebody gives there is nobody's word but their own: it was told as if it had been proved.
#[test]
fn over_the_unix_socket_the_number_of_the_user_is_told_and_the_name_as_a_claim() {
    let steer = Steer::start(&users());
    let output = steer.psql_unix("PAUSE bank");
    assert!(output.ok, "{}", output.err);
    let state = steer.psql("sre", "admin secret", "SHOW STATE");
    let ours = fs::metadata("/proc/self").unwrap().uid();
    assert!(state.out.contains(&format!("bank: by uid {ours} (as anybody), ")), "{}", state.out);
    assert!(steer.psql("sre", "admin secret", "RESUME bank").ok && steer.psql("sre", "admin secret", "PAUSE bank").ok);
    let state = steer.psql("sre", "admin secret", "SHOW STATE");
    assert!(state.out.contains("bank: by sre, "), "{}", state.out);
}
