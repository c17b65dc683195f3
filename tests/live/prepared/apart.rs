//! What we prepare for a client shares no transaction with what the client runs.

use super::*;

/// A pool of one whose server keeps one statement.
fn forgetful(label: &str) -> Pooled {
    Pooled::new(label, 1, &format!("max_prepared_statements = 1\n{NO_PASSWORD}"))
}

fn ask(raw: &mut Raw, messages: &[Vec<u8>]) -> Vec<raw::Message> {
    raw.send(&messages.concat());
    raw.until(b"Z")
}

/// The server has lost it, and reads its literal under the settings of then: nothing of that runs where the client's own is to be alone.
#[test]
fn what_must_be_alone_is_so_where_the_server_learns_it_again() {
    if direct() {
        return;
    }
    let pooled = forgetful("pool_apart");
    let mut client = raw_client(&pooled);
    let lost = |client: &mut Raw| {
        let prepared = ask(client, &[raw::close_statement("other"), raw::parse("other", "SELECT 1"), raw::sync()]);
        assert_eq!(reply_codes(&prepared), "3 1 Z");
    };
    ask(&mut client, &[raw::parse("a", "COMMIT PREPARED 'x'"), raw::sync()]);
    client.query("SET DateStyle = 'SQL, MDY'");
    let runs = [raw::bind("a", &[]), raw::execute(), raw::sync()];
    let described = [raw::describe_statement("a"), raw::flush()];
    // At once, and behind what the client has asked of the same group.
    for before in [vec![], described.to_vec(), vec![raw::parse("", "SELECT 2")], vec![raw::close_statement("none")]] {
        lost(&mut client);
        let denied = ask(&mut client, &[before, runs.to_vec()].concat());
        assert_eq!(sqlstates(&denied), ["42704"]);
    }
    // Where the server does not know it before it is asked for the next.
    lost(&mut client);
    client.send(&[raw::run("SELECT 1"), raw::sync(), runs.concat()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    assert_eq!(sqlstates(&client.until(b"Z")), ["42704"]);
    // What is bound already stays so.
    lost(&mut client);
    let both =
        [raw::parse("", "SELECT 5"), raw::bind_portal("p", "", &[]), raw::bind("a", &[]), raw::execute_portal("p", 0)];
    assert_eq!(reply_codes(&ask(&mut client, &[both.concat(), raw::sync()])), "1 2 2 D C Z");
    drop(client);
    pooled.finish();
}

/// Its text means nothing any more: the client is told once, and what it has sent behind that is skipped to its Sync.
#[test]
fn what_cannot_be_learnt_again_fails_once_and_all_of_its_group() {
    if direct() {
        return;
    }
    let pooled = forgetful("pool_apart_fails");
    pooled.site.direct_sql(
        "CREATE SCHEMA apart AUTHORIZATION app; CREATE TABLE apart.t (v text); GRANT ALL ON apart.t TO app",
    );
    let mut client = raw_client(&pooled);
    ask(&mut client, &[raw::parse("a", "SELECT 'x', v FROM apart.t"), raw::sync()]);
    ask(&mut client, &[raw::parse("b", "SELECT 1"), raw::sync()]);
    client.query("SET DateStyle = 'SQL, MDY'");
    pooled.site.direct_sql("DROP TABLE apart.t");
    let behind = [raw::run("CREATE TABLE apart.never ()"), raw::sync(), raw::run("SELECT 1"), raw::sync()].concat();
    for first in [raw::describe_statement("a"), [raw::bind("a", &[]), raw::execute()].concat()] {
        client.send(&[first, behind.clone()].concat());
        let denied = client.until(b"Z");
        assert_eq!((reply_codes(&denied).as_str(), sqlstates(&denied)), ("E Z", vec!["42P01".to_owned()]));
        assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    }
    assert_eq!(client.rows("SELECT to_regclass('apart.never') IS NULL"), [["t"]]);
    pooled.site.direct_sql("CREATE TABLE apart.t (v text); GRANT ALL ON apart.t TO app");
    assert_eq!(reply_codes(&ask(&mut client, &[raw::bind("a", &[]), raw::execute(), raw::sync()])), "2 C Z");
    drop(client);
    pooled.finish();
}
