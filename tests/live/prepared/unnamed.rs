//! Statements without a name, which are nobody else's.

use super::*;

/// Unnamed statements that are repeated, prepared by us: each client sees what a server of its own would say.
#[test]
fn what_is_repeated_without_a_name_is_prepared_once_and_no_client_sees_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_repeated", 1, &format!("prepare_unnamed = true\n{NO_PASSWORD}"));
    let other = |sql: &str| pooled.site.direct_sql(sql);
    other("CREATE TABLE shifting (id int PRIMARY KEY); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let mut client = raw_client(&pooled);
    let all = raw::parse("", "SELECT * FROM shifting WHERE id = $1");
    let run = [raw::bind("", &["1"]), raw::execute(), raw::sync()].concat();
    let told = [raw::bind("", &["1"]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    let columns = |client: &mut Raw, bytes: &[&[u8]]| {
        client.send(&bytes.concat());
        let replies = client.until(b"Z");
        let row = replies.iter().find(|reply| reply.code == b'D').map(|row| row.columns().len());
        (reply_codes(&replies), row, sqlstates(&replies))
    };
    let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%shifting%'";
    for time in 1..=8 {
        let expected = ("1 2 T D C Z".to_owned(), Some(1), vec![]);
        assert_eq!(columns(&mut client, &[&all, &told]), expected, "time {time}");
        let expected = if time < 3 { "0" } else { "1" };
        assert_eq!(columns(&mut client, &[&all, &run]).0, "1 2 D C Z", "time {time}");
        assert_eq!(client.rows(prepared), [[expected]], "time {time}");
    }
    // A table that changed past Floodwall is no news, told or not.
    for (added, group) in [("a", &told), ("b", &run)] {
        other(&format!("ALTER TABLE shifting ADD COLUMN {added} text"));
        let (codes, count, _) = columns(&mut client, &[&all, group]);
        assert_eq!((codes.replace("T ", "").as_str(), count), ("1 2 D C Z", Some(if added == "a" { 2 } else { 3 })));
    }
    // It is to who knows the shape from before, as at a server of its own.
    client.send(&[all.clone(), raw::frame(b'D', b"S\0"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 t T Z");
    other("ALTER TABLE shifting ADD COLUMN c text");
    assert_eq!(columns(&mut client, &[&run]).2, ["0A000"]);
    assert_eq!(columns(&mut client, &[&all, &run]).1, Some(4));
    // In a transaction the server has failed, once.
    client.query("BEGIN");
    other("ALTER TABLE shifting ADD COLUMN d text");
    assert_eq!(columns(&mut client, &[&all, &run]).2, ["0A000"]);
    client.query("ROLLBACK");
    client.query("BEGIN");
    assert_eq!(columns(&mut client, &[&all, &run]).1, Some(5));
    client.query("COMMIT");
    // What fails to be prepared, or to run, leaves what it would leave.
    other("DROP TABLE shifting");
    assert_eq!(columns(&mut client, &[&all, &run]).2, ["42P01"]);
    assert_eq!(columns(&mut client, &[&run]).2.len(), 1);
    other("CREATE TABLE shifting (id text); INSERT INTO shifting VALUES ('1'); GRANT ALL ON shifting TO app");
    assert_eq!(columns(&mut client, &[&all, &run]), ("1 2 D C Z".to_owned(), Some(1), vec![]));
    drop(client);
    pooled.finish();
}

#[test]
fn an_unnamed_statement_is_never_one_of_ours() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_unnamed", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    for (mine, theirs) in [("SELECT 1", "SET work_mem = '5MB'"), ("SET work_mem = '6MB'", "SELECT 1"), ("LISTEN x", "")]
    {
        client.query(mine);
        client.send(&[raw::parse("", "SELECT 'mine', $1::text"), raw::sync()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
        if !theirs.is_empty() {
            other.query(theirs);
        }
        // Settings of one client or the other went to the server meanwhile, or it was asked what was left.
        client.send(&[raw::bind("", &["x"]), raw::execute(), raw::sync()].concat());
        let reply = client.until(b"Z");
        assert_eq!(reply_codes(&reply), "2 D C Z", "{mine}; {theirs}: {:?}", sqlstates(&reply));
        assert_eq!(reply.iter().find(|m| m.code == b'D').unwrap().columns(), ["mine", "x"]);
    }
    client.send(&[raw::run("SELECT set_config('app.x', 'y', false)"), raw::sync()].concat());
    client.until(b"Z");
    client.send(&[raw::bind("", &[]), raw::execute(), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    drop((client, other));
    pooled.finish();
}
