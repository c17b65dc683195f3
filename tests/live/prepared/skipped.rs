use super::*;

/// A client that has prepared what sets the path, and then failed to put something else in its place.
fn unreplaced(pooled: &Pooled, group: &[Vec<u8>]) -> Raw {
    let mut client = raw_client(pooled);
    client.send(&[raw::parse("c", "SELECT set_config('search_path', $1::text, false)"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    client.send(&group.concat());
    client
}

#[test]
fn what_a_statement_sets_that_was_not_replaced_after_all_reaches_nobody_else() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_unreplaced", 1, NO_PASSWORD);
    let mut other = raw_client(&pooled);
    let path = other.rows("SHOW search_path");
    let (close, other_text) = (raw::close_statement("c"), raw::parse("c", "SELECT $1::text"));
    let set = [raw::bind("c", &["nowhere"]), raw::execute(), raw::sync()].concat();
    let fails = [raw::parse("", "SELECT nosuch"), close.clone(), other_text.clone(), raw::sync()];
    let ends = [fails[0].clone(), close, raw::sync()];
    // Given something else; given up; and taken.
    for group in [fails.to_vec(), ends.to_vec(), vec![other_text, raw::sync()]] {
        let mut client = unreplaced(&pooled, &group);
        assert_eq!(reply_codes(&client.until(b"Z")), "E Z");
        client.send(&set);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
        assert_eq!(other.rows("SHOW search_path"), path, "the other's own");
        assert_eq!(client.rows("SHOW search_path"), [["nowhere"]]);
    }
    let mut client = unreplaced(&pooled, &[fails.concat(), set]);
    assert_eq!([(); 2].map(|()| reply_codes(&client.until(b"Z"))), ["E Z", "2 D C Z"], "without waiting");
    assert_eq!(
        (other.rows("SHOW search_path"), client.rows("SHOW search_path")),
        (path, vec![vec!["nowhere".to_owned()]])
    );
    drop((other, client));
    pooled.finish();
}

/// A setting that no server lists is asked for by its name, which a call is given.
#[test]
fn what_a_call_sets_is_its_clients_at_every_server() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_called", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let shows = "SELECT current_setting('app.x', true)";
    client.send(&call(SET_CONFIG, &["app.x", "called", "f"]));
    assert_eq!(reply_codes(&client.until(b"Z")), "V Z");
    assert_ne!(other.rows(shows), [["called"]]);
    assert_eq!(client.rows(shows), [["called"]]);
    drop((client, other));
    pooled.finish();
}

/// Its number at every server.
const SET_CONFIG: u32 = 2078;

/// A FunctionCall whose values and result are text.
fn call(function: u32, values: &[&str]) -> Vec<u8> {
    let mut body = [&function.to_be_bytes()[..], &[0, 0], &u16::try_from(values.len()).unwrap().to_be_bytes()].concat();
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 0]);
    raw::frame(b'F', &body)
}
