//! Procedures that commit by themselves, called at servers that are lent.

use super::{SOON, join, one, pid, pool};
use crate::pooling::waits;
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{bind, execute, parse, query, sync, terminate};

/// What it has committed stays, and so do its lock, its settings and its table in that session; then it works at a second row.
const PROCEDURES: &str = "CREATE TABLE done (n int); GRANT ALL ON done TO app;
    CREATE PROCEDURE sleeps() LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(600); END$$;
    CREATE PROCEDURE resists() LANGUAGE plpgsql AS $$BEGIN
        BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END;
        PERFORM pg_sleep(600);
    END$$;
    CREATE PROCEDURE works(how text) LANGUAGE plpgsql AS $$BEGIN
        INSERT INTO public.done VALUES (1);
        PERFORM pg_advisory_lock(8), set_config('work_mem', '3MB', false), set_config('search_path', 'elsewhere', false);
        CREATE TEMP TABLE mine ();
        COMMIT;
        INSERT INTO public.done VALUES (2);
        EXECUTE 'CALL public.' || how || '()';
        INSERT INTO public.done VALUES (3);
        COMMIT;
    END$$;";

/// What a session has of its own: its lock, its table, its settings.
const OWN: &str =
    "SELECT concat_ws(' ', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()), current_setting('work_mem'),
    current_setting('search_path'))";

/// It is stopped where it is: what it had committed stays, what it had not is taken back, and nobody gets its server before that.
#[test]
fn who_dies_in_a_call_leaves_what_it_has_committed_and_no_more() {
    if direct() {
        return;
    }
    let pool = pool("bhv_call", 1, "");
    pool.site.direct_sql(PROCEDURES);
    let mut other = join(&pool);
    let (server, before) = (pid(&mut other), one(&mut other, OWN));
    let by_protocol = |sql: &str| [parse("", sql), bind("", &[]), execute()].concat();
    let behind = by_protocol("INSERT INTO done VALUES (4)");
    for (whole, stays) in [
        (query("CALL works('sleeps')"), Some(&server)),
        (query("CALL works('resists')"), Some(&server)),
        // The Sync is kept back until the reply is in, which may be cut: their server is closed.
        ([by_protocol("CALL works('sleeps')"), sync()].concat(), None),
        ([by_protocol("CALL works('resists')"), behind, sync()].concat(), None),
    ] {
        let mut client = join(&pool);
        client.send(&whole);
        assert!(wait_until(SOON, || pool.sleepers() == 1), "{}", whole.escape_ascii());
        other.send(&query("SELECT string_agg(n::text, ' ' ORDER BY n) FROM done"));
        assert!(wait_until(SOON, || waits(&pool) == 1));
        drop(client);
        assert_eq!(other.until(b"Z")[1].columns(), ["1"], "{}", whole.escape_ascii());
        assert_eq!(pool.sleepers(), 0, "{}", whole.escape_ascii());
        let now = pid(&mut other);
        assert_eq!(&now, stays.unwrap_or(&now), "{}", whole.escape_ascii());
        assert_eq!(one(&mut other, OWN), before, "{}", whole.escape_ascii());
        other.rows("TRUNCATE done");
    }
    drop(other);
    pool.finish();
}

/// Whoever says goodbye behind it has asked for all of it.
#[test]
fn who_says_goodbye_behind_a_call_gets_all_of_it() {
    if direct() {
        return;
    }
    let pool = pool("bhv_call_bye", 1, "");
    pool.site.direct_sql(PROCEDURES);
    pool.site.direct_sql("CREATE OR REPLACE PROCEDURE sleeps() LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); END'");
    let mut other = join(&pool);
    let (server, before) = (pid(&mut other), one(&mut other, OWN));
    let mut client = join(&pool);
    client.send_all(&[query("CALL works('sleeps')"), terminate()]);
    assert!(wait_until(SOON, || pool.sleepers() == 1));
    assert_eq!(one(&mut other, "SELECT string_agg(n::text, ' ' ORDER BY n) FROM done"), "1 2 3");
    assert_eq!((pid(&mut other), one(&mut other, OWN)), (server, before));
    drop((client, other));
    pool.finish();
}
