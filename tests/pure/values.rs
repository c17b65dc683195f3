//! Values beside a text: what is read of them, and what rules make of it.

use floodwall::guard::{Fetch, Guard, Intake, Verdict};
use floodwall::sql::array::text_elements;
use floodwall::sql::lexer::Limit;
use floodwall::sql::values::{Found, Part, Role, Value, Values, Wanted, bytes_to_read};
use floodwall::sql::{Estimate, Flags, Reading, Schema};
use proptest::prelude::*;
use toml::Table;

fn reading(sql: &str) -> Reading {
    Reading::of(Flags::POSTGRES, sql.as_bytes())
}

fn limit(value: Value<'_>) -> Limit {
    let wanted = [Wanted { parameter: 1, role: Role::Limit }];
    let (values, found) = Values::read(&wanted, [(value, Part::Whole)].into_iter());
    assert_eq!(found, Found::All);
    values.limit(1).unwrap()
}

fn elements(value: Value<'_>, part: Part) -> (u32, Found) {
    let wanted = [Wanted { parameter: 1, role: Role::Array }];
    let (values, found) = Values::read(&wanted, [(value, part)].into_iter());
    (values.elements(1), found)
}

fn words(words: &[i32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn a_limit_is_read_in_every_form_that_drivers_send() {
    let cases = [
        (Value::Null, Limit::All),
        (Value::Text(b"10"), Limit::Rows(10)),
        (Value::Text(b" +1000000 "), Limit::Rows(1_000_000)),
        (Value::Text(b"10.5"), Limit::Rows(11)),
        (Value::Text(b"1e6"), Limit::Rows(1_000_000)),
        (Value::Text(b"0xF4240"), Limit::Rows(1_000_000)),
        (Value::Text(b"0b11"), Limit::Rows(3)),
        (Value::Text(b"1_000_000"), Limit::Rows(1_000_000)),
        (Value::Text(b"99999999999999999999999"), Limit::Rows(u64::MAX)),
        (Value::Text(b"-1"), Limit::Other),
        (Value::Text(b""), Limit::Other),
        (Value::Text(b"ten"), Limit::Other),
        (Value::Text(b"\xff"), Limit::Other),
        (Value::Text("é0".as_bytes()), Limit::Other),
        (Value::Binary(&10_i16.to_be_bytes()), Limit::Rows(10)),
        (Value::Binary(&1_000_000_i32.to_be_bytes()), Limit::Rows(1_000_000)),
        (Value::Binary(&i64::MAX.to_be_bytes()), Limit::Rows(i64::MAX as u64)),
        (Value::Binary(&(-1_i64).to_be_bytes()), Limit::Other),
        (Value::Binary(b""), Limit::Other),
        (Value::Binary(b"abc"), Limit::Other),
        // numeric: digits, weight, sign, scale, then digits of base 10,000.
        (Value::Binary(b"\0\x01\0\0\0\0\0\0\0\x0a"), Limit::Rows(10)),
        (Value::Binary(b"\0\x01\0\x01\0\0\0\0\0\x64"), Limit::Rows(1_000_000)),
        (Value::Binary(b"\0\x02\0\x01\0\0\0\0\0\x64\0\x07"), Limit::Rows(1_000_007)),
        (Value::Binary(b"\0\x01\xff\xff\0\0\0\x01\x17\x70"), Limit::Rows(1)),
        (Value::Binary(b"\0\x01\x7f\xff\0\0\0\0\0\x01"), Limit::Rows(u64::MAX)),
        (Value::Binary(b"\0\x01\0\0\x40\0\0\0\0\x0a"), Limit::Other),
        (Value::Binary(b"\0\x02\0\0\0\0\0\0\0\x0a"), Limit::Other),
    ];
    for (value, expected) in cases {
        assert_eq!(limit(value), expected, "{value:?}");
    }
}

#[test]
fn elements_of_an_array_are_counted_in_both_forms() {
    let texts = [
        ("{}", 0),
        ("{ }", 0),
        ("{1}", 1),
        ("{1,2,3}", 3),
        (" {1, 2}", 2),
        ("{\"a,b\",c}", 2),
        (r#"{"a\",b","c"}"#, 2),
        (r#"{a\,b,c}"#, 2),
        ("{\"\"}", 1),
        ("{NULL,NULL}", 2),
        ("{{1,2},{3,4},{5,6}}", 6),
        ("[0:2]={1,2,3}", 3),
        ("[1:1][-2:-1]={{1,2}}", 2),
        ("1,2,3", 0),
        ("", 0),
    ];
    for (text, expected) in texts {
        assert_eq!(elements(Value::Text(text.as_bytes()), Part::Whole), (expected, Found::All), "{text}");
    }
    let binary = [
        (words(&[0, 0, 23]), 0),
        (words(&[1, 0, 23, 80_000, 1]), 80_000),
        (words(&[2, 0, 23, 3, 1, 4, 1]), 12),
        (words(&[2, 0, 23, i32::MAX, 1, i32::MAX, 1]), u32::MAX),
        (words(&[7, 0, 23, 1, 1]), 0),
        (b"{1,2}".to_vec(), 0),
        (vec![], 0),
    ];
    for (bytes, expected) in binary {
        assert_eq!(elements(Value::Binary(&bytes), Part::Whole), (expected, Found::All), "{bytes:?}");
    }
    assert_eq!(elements(Value::Null, Part::Whole), (0, Found::All));
}

#[test]
fn a_binary_array_is_counted_from_its_first_bytes() {
    let whole = [words(&[2, 0, 23, 3, 1, 4, 1]), vec![0; 1000]].concat();
    for held in 0..whole.len() {
        let (counted, found) = elements(Value::Binary(&whole[..held]), Part::Beginning);
        let expected = if held >= 24 { (12, Found::All) } else { (0, Found::Some) };
        assert_eq!((counted, found), expected, "{held} bytes");
    }
    assert_eq!(elements(Value::Text(b"{1,2,3,4"), Part::Beginning), (4, Found::Some), "at least so many");
}

fn element() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{1,8}", "[ -~]{0,12}".prop_map(|text| quoted(&text)), Just("NULL".to_owned())]
}

/// An element as the server writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #[test]
    fn every_array_that_a_server_writes_is_counted(
        rows in proptest::collection::vec(proptest::collection::vec(element(), 1..6), 1..20),
        bounds in proptest::bool::ANY,
    ) {
        let flat: Vec<&String> = rows.iter().flatten().collect();
        let one = format!("{{{}}}", flat.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(","));
        let nested: Vec<String> = rows.iter().map(|row| format!("{{{}}}", row.join(","))).collect();
        for text in [one, format!("{{{}}}", nested.join(","))] {
            let text = if bounds { format!("[5:9]={text}") } else { text };
            prop_assert_eq!(text_elements(text.bytes()) as usize, flat.len(), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for value in [Value::Text(&bytes), Value::Binary(&bytes)] {
            limit(value);
            for part in [Part::Whole, Part::Beginning] {
                prop_assert!(elements(value, part).0 as usize <= bytes.len() || value == Value::Binary(&bytes));
            }
        }
    }
}

#[test]
fn only_values_that_change_a_verdict_are_wanted() {
    use Role::{Array, Keys, Limit};
    let cases: &[(&str, &[(u16, Role)])] = &[
        ("SELECT * FROM t WHERE a = $1", &[]),
        ("SELECT * FROM t LIMIT $3 OFFSET $2", &[(3, Limit)]),
        ("SELECT * FROM t LIMIT $1::bigint", &[(1, Limit)]),
        ("SELECT * FROM t LIMIT CAST ($1 AS int)", &[(1, Limit)]),
        ("SELECT * FROM t LIMIT -$1", &[]),
        ("SELECT * FROM t LIMIT $99999", &[]),
        ("SELECT * FROM (SELECT * FROM t LIMIT $2) x FETCH FIRST ($1) ROWS ONLY", &[(1, Limit), (2, Limit)]),
        ("SELECT * FROM t WHERE id = ANY ($1)", &[(1, Keys)]),
        ("UPDATE t SET a = $1 WHERE id = ANY ($2)", &[(2, Array)]),
        ("UPDATE t SET a = 1 WHERE id = ANY (($1)::int[]) OR id <> ALL ($1)", &[(1, Array)]),
        ("DELETE FROM t WHERE id = SOME (CAST ($1 AS int[]))", &[(1, Array)]),
        ("DELETE FROM t WHERE id IN (SELECT unnest($1::int[]))", &[(1, Array)]),
        ("INSERT INTO t SELECT * FROM unnest($2::int[], $1::text[]) AS v(a, b)", &[(1, Array), (2, Array)]),
        ("INSERT INTO t SELECT 1 UNION ALL (SELECT $1)", &[]),
        ("INSERT INTO t SELECT 1 WHERE $1 = ANY (SELECT $2)", &[]),
        ("INSERT INTO t VALUES ($1, ARRAY[$2])", &[]),
        (
            "WITH d AS (DELETE FROM t WHERE id = ANY ($1) RETURNING a) SELECT * FROM d LIMIT $2",
            &[(1, Array), (2, Limit)],
        ),
    ];
    for (sql, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|&(parameter, role)| Wanted { parameter, role }).collect();
        assert_eq!(reading(sql).wanted(), expected, "{sql}");
    }
}

#[test]
fn an_array_to_read_by_is_never_waited_for() {
    let wanted = [Wanted { parameter: 1, role: Role::Keys }, Wanted { parameter: 3, role: Role::Keys }];
    let read = |value, part| Values::read(&wanted, [(value, part)].into_iter());
    let (values, found) = read(Value::Text(b"{1,2,3}"), Part::Whole);
    assert_eq!((values.all_elements(1), values.all_elements(3), found), (Some(3), None, Found::All));
    let (values, found) = read(Value::Text(b"{1,2,3"), Part::Beginning);
    assert_eq!((values.all_elements(1), found), (None, Found::All));
    let (values, found) = Values::read(&wanted[..1], [(Value::Null, Part::Whole)].into_iter());
    assert_eq!((values.all_elements(1), found), (Some(0), Found::All));
}

#[test]
fn one_pass_finds_values_wherever_they_stand() {
    let wanted = [
        Wanted { parameter: 2, role: Role::Limit },
        Wanted { parameter: 2, role: Role::Array },
        Wanted { parameter: 4, role: Role::Array },
    ];
    let all = [Value::Text(b"7"), Value::Text(b"{3}"), Value::Null, Value::Text(b"{1,2}"), Value::Text(b"8")];
    let (values, found) = Values::read(&wanted, all.into_iter().map(|value| (value, Part::Whole)));
    assert_eq!(
        (values.limit(2), values.elements(2), values.elements(4), found),
        (Some(Limit::Other), 1, 2, Found::All)
    );
    assert_eq!((values.limit(4), values.elements(1)), (None, 0));
    let (values, found) = Values::read(&wanted, all[..3].iter().map(|&value| (value, Part::Whole)));
    assert_eq!((values.elements(2), values.elements(4), found), (1, 0, Found::Some));
}

#[test]
fn the_last_of_as_many_values_as_there_can_be_is_read() {
    let wanted = [Wanted { parameter: u16::MAX, role: Role::Array }];
    let all = || std::iter::repeat_n((Value::Text(b"{1,2}"), Part::Whole), usize::from(u16::MAX));
    let (values, found) = Values::read(&wanted, all());
    assert_eq!((values.elements(u16::MAX), found), (2, Found::All));
    assert_eq!(bytes_to_read(&wanted, all()), 5);
}

/// The rule that refuses a statement with these values.
fn refuser(sql: &str, values: &[Value<'_>], fetch: Fetch) -> Option<&'static str> {
    let mut builder = Schema::builder();
    builder.add("public", "big", Estimate::Known(400_000));
    let schema = builder.build();
    let reading = reading(sql);
    let (values, _) = Values::read(reading.wanted(), values.iter().map(|&value| (value, Part::Whole)));
    let intake = Intake { values: Some(&values), fetch, ..Intake::of_text(&reading, Some(&schema), sql.len() as u64) };
    match Guard::build(&Table::new()).unwrap().judge(&intake).verdict {
        Verdict::Allow => None,
        Verdict::Refuse(breach) => Some(breach.rule),
    }
}

#[test]
fn bound_limits_bound_a_query() {
    let select = |sql: &str, value: Value<'_>| refuser(sql, &[value], Fetch::All);
    let refused = Some("unbounded_select");
    for sql in ["SELECT * FROM big LIMIT $1", "SELECT * FROM (SELECT * FROM big LIMIT $1) x", "TABLE big LIMIT $1"] {
        assert_eq!(select(sql, Value::Text(b"10")), None, "{sql}");
        assert_eq!(select(sql, Value::Text(b"10001")), refused, "{sql}");
        assert_eq!(select(sql, Value::Null), refused, "{sql}");
        assert_eq!(select(sql, Value::Text(b"?")), None, "the server will not take it: {sql}");
    }
    assert_eq!(select("SELECT * FROM nowhere LIMIT $1", Value::Text(b"10001")), refused);
    assert_eq!(select("SELECT * FROM big WHERE a = 1 LIMIT $1", Value::Null), None);
    assert_eq!(select("SELECT count(*) FROM big LIMIT $1", Value::Text(b"99999")), None);
}

#[test]
fn bound_arrays_count_as_rows_that_are_written() {
    let many = format!("{{{}}}", vec!["1"; 5_001].join(","));
    let (many, few) = (Value::Text(many.as_bytes()), Value::Text(b"{1,2}"));
    let update = "UPDATE t SET a = 1 WHERE id = ANY ($1)";
    assert_eq!(refuser(update, &[many], Fetch::All), Some("bulk_write"));
    assert_eq!(refuser(update, &[few], Fetch::All), None);
    assert_eq!(refuser("SELECT * FROM t WHERE id = ANY ($1)", &[many], Fetch::All), None);
    let two = "INSERT INTO t SELECT * FROM unnest($1::int[], $2::int[])";
    assert_eq!(refuser(two, &[few, many], Fetch::All), Some("bulk_write"));
}

#[test]
fn a_fetch_bounds_what_the_text_does_not() {
    let sql = "SELECT * FROM big";
    assert_eq!(refuser(sql, &[], Fetch::All), Some("unbounded_select"));
    assert_eq!(refuser(sql, &[], Fetch::Later), None);
    assert_eq!(refuser(sql, &[], Fetch::AtMost(10_000)), None);
    assert_eq!(refuser(sql, &[], Fetch::AtMost(10_001)), Some("unbounded_select"));
    assert_eq!(refuser("DELETE FROM big", &[], Fetch::Later), Some("unfiltered_write"));
}
