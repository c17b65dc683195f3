//! Newcomers over a cap: refused at once or queued, and never at the cost of who is in already.

use std::time::{Duration, Instant};

use crate::support::floodwall::direct;
use crate::support::process::{Promptness, SOON, wait_until};
use crate::support::raw::{Message, Raw, VERSION_3_0, startup};
use crate::support::site::Site;

#[test]
fn a_client_at_its_cap_is_refused_and_its_sessions_live_on() {
    let Some(site) = site("cap_client", "[caps]\nover = 'refuse'\n[caps.client]\nmax_connections = 3") else { return };
    let mut held: Vec<Raw> = (0..3).map(|_| site.raw()).collect();
    assert_refused(&site, "client_max_connections");
    for session in &mut held {
        assert_eq!(session.rows("SELECT 1"), [["1"]]);
    }
    held.pop();
    assert!(becomes_free(&site));
    drop(held);
    site.finish();
}

#[test]
fn a_refused_login_is_told_the_count_and_the_limit() {
    let Some(site) = site("cap_words", "[caps]\nover = 'refuse'\n[caps.client]\nmax_connections = 2") else { return };
    let held = [site.raw(), site.raw()];
    let error = login(&site).unwrap_err();
    let text = error.summary() + &error.field(b'D').unwrap_or_default();
    for expected in ["53300", "FATAL", "FLOODWALL[rule=client_max_connections]", "2", "postgres"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(error.field(b'H').is_some(), "no hint: {text}");
    drop(held);
    site.finish();
}

#[test]
fn over_cap_logins_are_answered_promptly() {
    let overrides = "[caps]\nover = 'refuse'\n[caps.client]\nmax_connections = 1\nnew_connections_per_second = 10000";
    let Some(site) = site("cap_prompt", overrides) else { return };
    let mut held = site.raw();
    let mut prompt = Promptness::default();
    for _ in 0..40 {
        prompt.measure(|| held.rows("SELECT 1"), || refused(&site));
    }
    prompt.assert();
    drop(held);
    site.finish();
}

#[test]
fn the_listener_is_full() {
    let Some(site) = site("cap_listener", "[caps]\nover = 'refuse'\nmax_clients = 2") else { return };
    let held = [site.raw(), site.raw()];
    assert_refused(&site, "max_clients");
    drop(held);
    assert!(becomes_free(&site));
    site.finish();
}

#[test]
fn an_address_is_full() {
    let Some(site) = site("cap_address", "[caps]\nover = 'refuse'\n[caps.address]\nmax_connections = 2") else {
        return;
    };
    let held = [site.raw(), site.raw()];
    assert_refused(&site, "address_max_connections");
    drop(held);
    assert!(becomes_free(&site));
    site.finish();
}

#[test]
fn the_server_has_no_more_room_for_this_listener() {
    let Some(site) = site("cap_server", "[caps]\nover = 'refuse'\n[[listener]]\nmax_server_connections = 2") else {
        return;
    };
    let held = [site.raw(), site.raw()];
    assert_refused(&site, "max_server_connections");
    drop(held);
    assert!(becomes_free(&site));
    site.finish();
}

#[test]
fn a_database_has_no_more_servers_and_another_one_has() {
    let overrides = "[caps]\nover = 'refuse'\n[[listener]]\nmax_db_connections = 2\nmax_user_connections = 3";
    let Some(site) = site("cap_db", overrides) else { return };
    let held = [site.raw(), site.raw()];
    assert_refused(&site, "max_db_connections");
    let elsewhere = Raw::login(site.proxy.port, "postgres", "app").unwrap();
    let user = Raw::login(site.proxy.port, "postgres", "app").map(drop).unwrap_err();
    assert!(user.field(b'M').unwrap().contains("rule=max_user_connections"), "{}", user.summary());
    assert_eq!(user.sqlstate(), "53300");
    drop((held, elsewhere));
    assert!(becomes_free(&site));
    site.finish();
}

#[test]
fn too_many_new_connections_a_second_are_refused() {
    let overrides = "[caps]\nover = 'refuse'\n[caps.client]\nnew_connections_per_second = 1";
    let Some(site) = site("cap_rate", overrides) else { return };
    let begin = Instant::now();
    let refused: Vec<Message> = (0..60).filter_map(|_| login(&site).err()).collect();
    let allowed = 60 - refused.len();
    let fair = begin.elapsed().as_secs_f64() + 2.0;
    assert!(allowed >= 1 && allowed as f64 <= fair, "{allowed} got in within {:?}", begin.elapsed());
    assert!(refused.iter().all(|error| error.sqlstate() == "53300"));
    assert!(refused[0].field(b'M').unwrap().starts_with("FLOODWALL[rule=new_connections_per_second]"));
    site.finish();
}

#[test]
fn the_cap_of_one_client_leaves_another_alone() {
    let overrides = "[caps]\nover = 'refuse'\n[[client]]\nname = 'few'\nmatch = { user = 'post*', database = 'cap_*' }\n\
                     caps = { max_connections = 1 }";
    let Some(site) = site("cap_entry", overrides) else { return };
    let held = site.raw();
    assert_refused(&site, "client_max_connections");
    let other = Raw::login(site.proxy.port, "trusted", &site.database);
    assert_eq!(other.unwrap().rows("SELECT 1"), [["1"]]);
    let elsewhere = Raw::login(site.proxy.port, "postgres", "app");
    assert_eq!(elsewhere.unwrap().rows("SELECT 1"), [["1"]]);
    drop(held);
    site.finish();
}

#[test]
fn naming_a_client_without_its_password_uses_none_of_its_places() {
    let Some(site) = site("cap_claim", "[caps]\nover = 'refuse'\n[caps.client]\nmax_connections = 1") else { return };
    let mut pretenders: Vec<Raw> = (0..5).map(|_| Raw::open(site.proxy.port)).collect();
    for pretender in &mut pretenders {
        pretender.send(&startup(VERSION_3_0, &[("user", "app"), ("database", &site.database)]));
        assert_eq!(pretender.message().code, b'R');
    }
    assert_eq!(site.sql("SELECT 1"), "1");
    drop(pretenders);
    site.finish();
}

#[test]
fn logins_in_progress_are_bounded() {
    let overrides = "[caps]\nover = 'refuse'\nmax_logins = 4\nmax_logins_per_address = 3";
    let Some(site) = site("cap_logins", overrides) else { return };
    let mut hanging: Vec<Raw> = (0..3).map(|_| Raw::open(site.proxy.port)).collect();
    for client in &mut hanging {
        client.send(&startup(VERSION_3_0, &[("user", "app"), ("database", &site.database)]));
        assert_eq!(client.message().code, b'R');
    }
    let error = login(&site).unwrap_err();
    assert_eq!(error.sqlstate(), "53300");
    assert!(error.field(b'M').unwrap().contains("login"), "{}", error.summary());
    drop(hanging);
    assert!(becomes_free(&site));
    site.finish();
}

#[test]
fn failed_logins_give_everything_back() {
    let Some(site) = site("cap_failed", "[caps]\nover = 'refuse'\n[caps.client]\nmax_connections = 1") else { return };
    for _ in 0..10 {
        let mut psql = site.psql(&["-c", "SELECT 1"]);
        assert!(!psql.env("PGPASSWORD", "wrong").output().unwrap().status.success());
    }
    assert!(Raw::login(site.proxy.port, "postgres", "no_such_database").is_err());
    site.proxy.assert_all_zero();
    assert_eq!(site.sql("SELECT 1"), "1");
    site.finish();
}

#[test]
fn a_newcomer_waits_in_the_queue_until_there_is_a_place() {
    let Some(site) =
        site("queue", "[caps]\nqueue_wait = '1m'\nlogin_timeout = '2m'\n[caps.client]\nmax_connections = 1")
    else {
        return;
    };
    let held = site.raw();
    let begin = Instant::now();
    let (port, database) = (site.proxy.port, site.database.clone());
    let waiting = std::thread::spawn(move || {
        let session = Raw::login(port, "postgres", &database);
        (session.map(|mut raw| raw.rows("SELECT 1")), begin.elapsed())
    });
    std::thread::sleep(Duration::from_millis(300));
    drop(held);
    let (rows, waited) = waiting.join().unwrap();
    assert_eq!(rows.unwrap(), [["1"]]);
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    site.finish();
}

#[test]
fn waiting_has_an_end() {
    let Some(site) =
        site("queue_wait", "[caps]\nqueue_wait = '300ms'\nlogin_timeout = '2m'\n[caps.client]\nmax_connections = 1")
    else {
        return;
    };
    let held = site.raw();
    let begin = Instant::now();
    let error = login(&site).unwrap_err();
    let waited = begin.elapsed();
    assert_eq!(error.sqlstate(), "53300", "{}", error.summary());
    assert!(waited >= Duration::from_millis(290) && waited < SOON, "{waited:?}");
    drop(held);
    site.finish();
}

#[test]
fn the_queue_has_a_length() {
    let overrides =
        "[caps]\nqueue_wait = '1m'\nlogin_timeout = '2m'\nqueue_length = 2\n[caps.client]\nmax_connections = 1";
    let Some(site) = site("queue_length", overrides) else { return };
    let held = site.raw();
    let mut waiting = Vec::new();
    for place in 1..=2 {
        waiting.push(dial(&site));
        let queued = || waiting_for_a_place(&site) >= f64::from(place);
        assert!(wait_until(SOON, queued), "{:?}", site.proxy.metrics());
    }
    let begin = Instant::now();
    let error = login(&site).unwrap_err();
    assert!(begin.elapsed() < SOON, "long before its wait would end: {:?}", begin.elapsed());
    assert_eq!(error.sqlstate(), "53300");
    assert!(error.field(b'M').unwrap().contains("queue_length"), "{}", error.summary());
    drop(held);
    waiting[0].finish_login().unwrap();
    drop(waiting);
    site.finish();
}

#[test]
fn a_waiting_client_that_leaves_frees_its_place_in_the_queue() {
    let overrides = "[caps]\nqueue_wait = '1m'\nlogin_timeout = '2m'\n[caps.client]\nmax_connections = 1";
    let Some(site) = site("queue_leave", overrides) else { return };
    let held = site.raw();
    let waiting: Vec<Raw> = (0..5).map(|_| dial(&site)).collect();
    assert!(wait_until(SOON, || waiting_for_a_place(&site) >= 5.0));
    drop(waiting);
    assert!(wait_until(SOON, || waiting_for_a_place(&site) == 0.0));
    drop(held);
    site.finish();
}

#[test]
fn a_surge_beyond_the_cap_leaves_the_server_room_and_ends_at_zero() {
    let overrides = "[caps]\nover = 'refuse'\n[[listener]]\nmax_server_connections = 10";
    let Some(site) = site("surge", overrides) else { return };
    let dialled: Vec<Raw> = (0..300).map(|_| dial(&site)).collect();
    for _ in 0..10 {
        // Monitors, of other tests' proxies as well, look at every database; psql is this test, whose last look may still be on its way out.
        let used = site.direct_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND backend_type = 'client backend' AND application_name <> 'psql' AND usename <> 'floodwall'",
        );
        let who =
            || site.direct_sql("SELECT pid, usename, state, backend_start, query FROM pg_stat_activity ORDER BY 4");
        assert!(used.parse::<u32>().unwrap() <= 10, "{used} connections at the server\n{}", who());
    }
    drop(dialled);
    site.finish();
}

/// None where there is no proxy to test.
fn site(label: &str, overrides: &str) -> Option<Site> {
    (!direct()).then(|| Site::new(label, overrides))
}

/// Newcomers in the queue.
fn waiting_for_a_place(site: &Site) -> f64 {
    site.proxy.metric("floodwall_cap_current", &["queue_length"])
}

fn dial(site: &Site) -> Raw {
    let mut raw = Raw::open(site.proxy.port);
    raw.send(&startup(VERSION_3_0, &[("user", "postgres"), ("database", &site.database)]));
    raw
}

fn login(site: &Site) -> Result<Raw, Message> {
    let mut raw = dial(site);
    raw.finish_login()?;
    Ok(raw)
}

fn assert_refused(site: &Site, rule: &str) {
    let error = login(site).err().unwrap_or_else(|| panic!("{rule} let a client in"));
    assert_eq!(error.sqlstate(), "53300", "{}", error.summary());
    let text = error.field(b'M').unwrap();
    assert!(text.starts_with(&format!("FLOODWALL[rule={rule}]")), "{text}");
}

fn refused(site: &Site) -> Message {
    let mut raw = dial(site);
    raw.finish_login().unwrap_err()
}

/// A place is given back as soon as the session behind it has ended, which takes a moment.
fn becomes_free(site: &Site) -> bool {
    wait_until(SOON, || login(site).is_ok())
}
