//! Tables that are dropped, emptied or renamed under the catalogue's eyes: nobody is refused for the size of one that is gone.

use crate::support::raw::sqlstates;

use super::rules::{assert_refusal, site};

const ALL: &str = "SELECT * FROM big";
const NONE: [&str; 0] = [];

#[test]
fn a_table_that_was_made_again_has_no_size_until_it_is_read_again() {
    let Some(site) = site("remade", "") else { return };
    let (mut client, mut other) = (site.raw(), site.raw());
    assert_refusal(&client.query(ALL)[0], "unbounded_select");
    assert!(sqlstates(&client.query("ALTER TABLE big RENAME TO aside; CREATE TABLE big (n int)")).is_empty());
    for session in [&mut client, &mut other] {
        for sql in [ALL, "SELECT * FROM public.big"] {
            assert_eq!(sqlstates(&session.query(sql)), NONE, "{sql}");
        }
    }
    assert!(site.knows_its_tables("aside"), "the size of the old one comes back");
    assert_eq!(sqlstates(&other.query(ALL)), NONE);
    drop((client, other));
    site.finish();
}

#[test]
fn a_transaction_sees_its_own_table_at_once_and_others_see_it_when_it_is_committed() {
    let Some(site) = site("remade_tx", "") else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("TRUNCATE big");
    assert_eq!(sqlstates(&client.query(ALL)), NONE);
    client.query("ROLLBACK");
    assert!(site.knows_its_tables("big"), "nothing was emptied");
    client.query("BEGIN");
    client.query("DROP TABLE big");
    client.query("CREATE TABLE big (n int)");
    assert_eq!(sqlstates(&client.query(ALL)), NONE);
    client.query("COMMIT");
    assert_eq!(sqlstates(&site.raw().query(ALL)), NONE);
    drop(client);
    site.finish();
}

#[test]
fn what_fails_or_makes_nothing_leaves_a_size_as_it_was() {
    let Some(site) = site("remade_not", "") else { return };
    let mut client = site.raw();
    for sql in ["CREATE TABLE big (n int)", "CREATE TABLE IF NOT EXISTS big (n int)", "DROP TABLE big, nowhere"] {
        client.query(sql);
        assert_refusal(&client.query(ALL)[0], "unbounded_select");
    }
    drop(client);
    site.finish();
}
