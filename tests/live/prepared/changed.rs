//! Tables that change under what is prepared.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changed_fails_once_and_then_works() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter", 1, "");
    pooled
        .site
        .direct_sql("CREATE TABLE shifting (id int); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let client = pooled.site.session("app").await;
    let all = client.prepare("SELECT * FROM shifting").await.unwrap();
    assert_eq!(client.query_one(&all, &[]).await.unwrap().len(), 1);
    pooled.site.direct_sql("ALTER TABLE shifting ADD COLUMN name text");
    let error = client.query_one(&all, &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED), "{error}");
    // The driver believes in one column as long as it has that statement.
    let again = client.prepare("SELECT * FROM shifting").await.unwrap();
    assert_eq!(client.query_one(&again, &[]).await.unwrap().len(), 2);
    drop(again);
    drop((all, client));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_prepares_a_text_behind_a_drop_gets_it_as_at_a_server_of_its_own() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_dropped", 1, "");
    pooled.site.direct_sql("CREATE SCHEMA remade AUTHORIZATION app; CREATE TABLE remade.things (v text); ALTER TABLE remade.things OWNER TO app");
    let (owner, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let text = "SELECT v FROM remade.things WHERE v = $1";
    let old = other.prepare(text).await.unwrap();
    assert_eq!((old.params(), other.query(&old, &[&"x"]).await.unwrap().len()), (&[Type::TEXT][..], 0));
    owner.batch_execute("DROP TABLE remade.things; CREATE TABLE remade.things (v int8)").await.unwrap();
    for client in [&owner, &other] {
        let new = client.prepare(text).await.unwrap();
        assert_eq!((new.params(), client.query(&new, &[&1_i64]).await.unwrap().len()), (&[Type::INT8][..], 0));
    }
    // What a transaction takes back was never so for others, and is over for the client itself.
    owner.batch_execute("BEGIN; ALTER TABLE remade.things ALTER v TYPE text USING v::text").await.unwrap();
    assert_eq!(owner.prepare(text).await.unwrap().params(), [Type::TEXT]);
    owner.batch_execute("ROLLBACK").await.unwrap();
    for client in [&owner, &other] {
        let back = client.prepare(text).await.unwrap();
        assert_eq!((back.params(), client.query(&back, &[&1_i64]).await.unwrap().len()), (&[Type::INT8][..], 0));
    }
    // Nor is there anything left of what was made in it, as test suites do.
    let made = "SELECT v FROM remade.made WHERE v = $1";
    let mut kept = Vec::new();
    for (kind, expected) in [("text", Type::TEXT), ("int8", Type::INT8)] {
        owner.batch_execute(&format!("BEGIN; CREATE TABLE remade.made (v {kind})")).await.unwrap();
        let here = owner.prepare(made).await.unwrap();
        assert_eq!(here.params(), [expected]);
        kept.push(here);
        owner.batch_execute("ROLLBACK").await.unwrap();
    }
    drop((old, kept, owner, other));
    pooled.finish();
}

/// The statement that others keep goes on to mean the table further off, as at a server of their own.
#[tokio::test(flavor = "multi_thread")]
async fn who_prepares_a_text_behind_a_create_gets_the_table_that_is_nearer_now() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_nearer", 1, "");
    pooled.site.direct_sql(
        "CREATE SCHEMA near AUTHORIZATION app; CREATE SCHEMA far AUTHORIZATION app; CREATE TABLE far.things (v text); \
         ALTER TABLE far.things OWNER TO app",
    );
    let (owner, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    for client in [&owner, &other] {
        client.batch_execute("SET search_path TO near, far").await.unwrap();
    }
    let text = "SELECT v FROM things WHERE v = $1";
    let old = other.prepare(text).await.unwrap();
    assert_eq!(old.params(), [Type::TEXT]);
    owner.batch_execute("BEGIN; CREATE TABLE near.things (v int8); COMMIT").await.unwrap();
    for client in [&owner, &other] {
        assert_eq!(client.prepare(text).await.unwrap().params(), [Type::INT8]);
    }
    drop((old, owner, other));
    pooled.finish();
}

/// Of a temporary table of its own nobody has prepared anything, and yet others have of what it alters beside that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_altered_by_who_has_a_temporary_table_is_news_to_everybody() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_altered_beside", 2, "");
    pooled.site.direct_sql("CREATE SCHEMA remade AUTHORIZATION app; CREATE TABLE remade.things (v text); ALTER TABLE remade.things OWNER TO app");
    let (owner, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let text = "SELECT * FROM remade.things";
    owner.batch_execute("CREATE TEMP TABLE scratch (n int)").await.unwrap();
    let old = other.prepare(text).await.unwrap();
    owner.batch_execute("ALTER TABLE remade.things ADD COLUMN w int").await.unwrap();
    let new = other.prepare(text).await.unwrap();
    assert_eq!((new.columns().len(), other.query(&new, &[]).await.unwrap().len()), (2, 0));
    drop((old, new, owner, other));
    pooled.finish();
}

/// A service that drops its own temporary tables all day must not have everybody prepare anew.
#[tokio::test(flavor = "multi_thread")]
async fn who_drops_a_temporary_table_costs_nobody_a_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_dropped_temp", 1, "");
    pooled.site.direct_sql("CREATE SCHEMA remade AUTHORIZATION app");
    let client = pooled.site.session("app").await;
    let text = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark of temp%'";
    let first = client.prepare(text).await.unwrap();
    let (create, drop_it) = ("CREATE TEMP TABLE scratch (n int)", "DROP TABLE scratch");
    let real = "CREATE TABLE remade.real (n int); DROP TABLE remade.real";
    // What it prepares while it has one is its own.
    for (change, expected) in [(&*format!("{create}; {drop_it}"), 1), (create, 2), (drop_it, 2), (real, 3)] {
        client.batch_execute(change).await.unwrap();
        let again = client.prepare(text).await.unwrap();
        assert_eq!(client.query_one(&again, &[]).await.unwrap().get::<_, i64>(0), expected, "{change}");
    }
    drop((first, client));
    pooled.finish();
}

#[test]
fn a_text_that_a_changed_table_broke_works_for_who_prepares_it_again() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_retyped", 1, NO_PASSWORD);
    let alter = |sql: &str| pooled.site.direct_sql(sql);
    alter("CREATE TABLE retyped (name text); GRANT ALL ON retyped TO app");
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let insert = "INSERT INTO retyped VALUES ($1) RETURNING name";
    let run = |name: &str| [raw::bind(name, &["1"]), raw::execute(), raw::sync()].concat();
    for raw in [&mut client, &mut other] {
        raw.send(&[raw::parse("s", insert), run("s")].concat());
        assert_eq!(reply_codes(&raw.until(b"Z")), "1 2 D C Z");
    }
    alter("ALTER TABLE retyped ALTER name TYPE int USING name::int");
    // As at a server of one's own, with that name and for good.
    for _ in 0..2 {
        client.send(&run("s"));
        assert_eq!(sqlstates(&client.until(b"Z")), ["42804"]);
    }
    client.send(&[raw::parse("t", insert), run("t")].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    other.send(&run("s"));
    assert_eq!(sqlstates(&other.until(b"Z")), ["42804"]);
    other.send(&[raw::close_statement("s"), raw::parse("s", insert), run("s")].concat());
    assert_eq!(reply_codes(&other.until(b"Z")), "3 1 2 D C Z");
    drop((client, other));
    pooled.finish();
}

#[test]
fn a_table_that_changed_is_no_news_to_who_asks_for_the_shape_with_the_rows() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter_told", 1, NO_PASSWORD);
    let alter = |sql: &str| pooled.site.direct_sql(sql);
    alter("CREATE TABLE shifting (id int); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let told = [raw::bind("s", &[]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    let untold = [raw::bind("s", &[]), raw::execute(), raw::sync()].concat();
    for raw in [&mut client, &mut other] {
        raw.send(&[raw::parse("s", "SELECT * FROM shifting"), raw::sync(), told.clone()].concat());
        assert_eq!(reply_codes(&raw.until(b"Z")), "1 Z");
        assert_eq!(reply_codes(&raw.until(b"Z")), "2 T D C Z");
    }
    alter("ALTER TABLE shifting ADD COLUMN a text");
    client.send(&told);
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "2 T D C Z");
    assert_eq!(reply[1].body[..2], [0, 2], "two columns are told");
    other.send(&told);
    assert_eq!(reply_codes(&other.until(b"Z")), "2 T D C Z");
    // Who asked for the shape earlier would read rows of another one.
    alter("ALTER TABLE shifting ADD COLUMN b text");
    client.send(&untold);
    assert_eq!(sqlstates(&client.until(b"Z")), ["0A000"]);
    // In a transaction the server has failed for good.
    client.send(&told);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    other.query("BEGIN");
    alter("ALTER TABLE shifting ADD COLUMN c text");
    other.send(&told);
    let denied = other.until(b"Z");
    assert_eq!((sqlstates(&denied), &denied.last().unwrap().body[..]), (vec!["0A000".to_owned()], &b"E"[..]));
    other.query("ROLLBACK");
    // So is a group with more behind it, whose next part must not be overtaken.
    alter("ALTER TABLE shifting ADD COLUMN d text");
    client.send(&[told.clone(), raw::run("SELECT 1"), raw::sync()].concat());
    let both = [client.until(b"Z"), client.until(b"Z")];
    assert!(matches!(&*reply_codes(&both[0]), "E Z" | "2 T D C Z"), "{}", reply_codes(&both[0]));
    assert_eq!(reply_codes(&both[1]), "1 2 D C Z");
    // What cannot be prepared any more fails with the server's words, and the session goes on.
    client.send(&told);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    alter("DROP TABLE shifting");
    client.send(&told);
    assert_eq!(sqlstates(&client.until(b"Z")), ["42P01"]);
    alter("CREATE TABLE shifting (id bigint); INSERT INTO shifting VALUES (1); GRANT ALL ON shifting TO app");
    for raw in [&mut client, &mut other] {
        raw.send(&told);
        assert_eq!(reply_codes(&raw.until(b"Z")), "2 T D C Z");
    }
    drop((client, other));
    pooled.finish();
}

#[test]
fn a_column_whose_type_changed_is_news_once() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alter_type", 1, NO_PASSWORD);
    pooled.site.direct_sql("CREATE TABLE typed (id int); INSERT INTO typed VALUES (1); GRANT ALL ON typed TO app");
    let mut client = raw_client(&pooled);
    let told = [raw::bind("s", &[]), raw::frame(b'D', b"P\0"), raw::execute(), raw::sync()].concat();
    client.send(&[raw::parse("s", "SELECT id FROM typed"), raw::sync(), told.clone()].concat());
    client.until(b"Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "2 T D C Z");
    for (of, replies) in [("bigint", &["E Z", "2 T D C Z"][..]), ("int", &["2 T D C Z"]), ("bigint", &["2 T D C Z"])] {
        pooled.site.direct_sql(&format!("ALTER TABLE typed ALTER id TYPE {of}"));
        for expected in replies {
            client.send(&told);
            assert_eq!(reply_codes(&client.until(b"Z")), *expected, "{of}");
        }
    }
    drop(client);
    pooled.finish();
}
