//! Groups that fail while the next one is on its way, and COPY among them.

use super::*;

/// A client that does not wait for its groups: what the server was to learn in one that fails is there for the next.
#[test]
fn what_a_failed_group_was_to_teach_a_server_is_taught_by_the_next() {
    for repeats in [Repeats::Unnamed, Repeats::Prepared] {
        let mut house = House::new(2, 10, 1);
        house.bounds.repeats = repeats;
        house.ask(0, 0, &parse("a", "SELECT 2 + $1"));
        house.end(0, 0);
        let sync = frame(b'S', b"");
        let named = [bind("a"), execute(), sync.clone()].concat();
        let unnamed = [parse("", "SELECT 3 + $1"), bind(""), execute(), sync.clone()].concat();
        for _ in 0..4 {
            house.play(0, 0, &unnamed);
        }
        let groups = [bind("nosuch"), named.clone(), named.clone(), bind("nosuch"), unnamed.clone(), unnamed, named];
        house.play(0, 1, &groups.concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ2DCZEZ12DCZ2DCZ"), "{}", codes(&house.clients[0].got));
        house.compare();
    }
}

/// Where a group fails before it comes to its Parse, the server has what somebody else has left there.
#[test]
fn an_unnamed_statement_that_a_failed_group_was_to_set_is_never_another_clients() {
    let mut house = House::new(2, 10, 2);
    let sync = frame(b'S', b"");
    let others = [parse("", "SELECT 'of another'"), bind(""), execute(), sync.clone()].concat();
    house.play(1, 0, &others);
    let fails = [bind("nosuch"), parse("", "SELECT 'mine'"), sync.clone()].concat();
    let next = [bind(""), execute(), sync].concat();
    house.play(0, 0, &[fails, next].concat());
    let got = house.clients[0].got.concat();
    assert!(!got.windows(10).any(|part| part == b"of another"), "{}", got.escape_ascii());
    house.compare();
}

/// A group that fails takes back what it did, and not what the next one has done since.
#[test]
fn what_a_failed_group_takes_back_is_not_what_the_next_one_did() {
    for repeats in [Repeats::Unnamed, Repeats::Prepared] {
        let mut house = House::new(2, 10, 1);
        house.bounds.repeats = repeats;
        let sync = frame(b'S', b"");
        let old = [parse("", "SELECT 3 + $1"), bind(""), execute(), sync.clone()].concat();
        for _ in 0..5 {
            house.play(0, 0, &old);
        }
        let fails = [bind("nosuch"), parse("", "SELECT 4"), parse("a", "SELECT 4"), sync.clone()].concat();
        let next = [parse("", "SELECT 5 + $1"), bind(""), execute(), sync.clone()].concat();
        house.play(0, 0, &[fails, next].concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ12DCZ"), "{}", codes(&house.clients[0].got));
        // At a server that has never seen it: what was prepared last, and no other.
        house.play(0, 1, &[bind(""), execute(), sync].concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ12DCZ2DCZ"), "{}", codes(&house.clients[0].got));
        house.compare();
    }
}

/// What the server knows already needs no Parse there: where the client's own stands in a group that fails, its name is none.
#[test]
fn a_name_for_what_the_server_knows_goes_down_with_its_group() {
    let mut house = House::new(1, 10, 1);
    let sync = frame(b'S', b"");
    house.play(0, 0, &[parse("old", "SELECT 1"), sync.clone()].concat());
    let fails = [bind("nosuch"), parse("new", "SELECT 1"), sync.clone()].concat();
    let new = [bind("new"), execute(), sync].concat();
    house.play(0, 0, &[fails, new].concat());
    assert_eq!(codes(&house.clients[0].got), "1ZEZEZ");
    house.compare();
}

/// Two names of one text are one statement at a server: where the group that prepares it under the one fails, the other still works.
#[test]
fn a_name_does_not_go_down_with_another_of_the_same_text() {
    let mut house = House::new(2, 10, 1);
    let sync = frame(b'S', b"");
    house.play(0, 0, &[parse("old", "SELECT 1"), sync.clone()].concat());
    let fails = [bind("nosuch"), parse("new", "SELECT 1"), sync.clone()].concat();
    let old = [bind("old"), execute(), sync.clone()].concat();
    let new = [bind("new"), execute(), sync].concat();
    house.play(0, 1, &[fails, old.clone(), new, old].concat());
    assert_eq!(codes(&house.clients[0].got), "1ZEZ2DCZEZ2DCZ");
    house.compare();
}

/// What a server was to give up in a group that fails is there still, under its name, when the next group needs it.
#[test]
fn what_a_failed_group_was_to_make_room_with_is_there_for_the_next() {
    let mut house = House::new(1, 1, 1);
    let sync = frame(b'S', b"");
    house.play(0, 0, &[parse("a", "SELECT 1"), sync.clone()].concat());
    let fails = [bind("nosuch"), parse("b", "SELECT 4"), sync.clone()].concat();
    let next = [bind("a"), execute(), sync].concat();
    house.play(0, 0, &[fails, next].concat());
    assert_eq!(codes(&house.clients[0].got), "1ZEZ2DCZ");
    house.compare();
}

/// However much that was.
#[test]
fn a_long_group_that_fails_leaves_no_name_taken_that_nobody_knows() {
    let mut house = House::new(1, 200, 1);
    let sync = frame(b'S', b"");
    let all = |name: &str| (0..200).flat_map(|n| parse(&format!("{name}{n}"), &format!("SELECT {name}{n}"))).collect();
    let (old, new): (Vec<u8>, Vec<u8>) = (all("a"), all("b"));
    house.play(0, 0, &[&old[..], &sync].concat());
    house.play(0, 0, &[&bind("nosuch"), &new[..], &sync].concat());
    house.play(0, 0, &[&new[..], &sync].concat());
    for n in 0..200 {
        house.play(0, 0, &[bind(&format!("a{n}")), execute(), sync.clone()].concat());
    }
    house.compare();
}

/// Whoever prepares a name that a group before has given, or given up, without waiting for it.
#[test]
fn a_name_is_what_the_group_before_has_left_of_it() {
    let sync = frame(b'S', b"");
    let group = |asked: &[&[u8]]| [&asked.concat()[..], &sync].concat();
    let (one, two) = (parse("a", "SELECT 1"), parse("a", "SELECT 2"));
    let (gives, gives_two, runs) = (group(&[&one]), group(&[&two]), group(&[&bind("a"), &execute()]));
    let (fails, closes) = (bind("no"), close("a"));
    for (case, groups, expected) in [
        ("given twice", vec![gives.clone(), gives_two.clone(), runs.clone()], "1ZEZ2DCZ"),
        ("where the first fails", vec![group(&[&fails, &one]), gives_two.clone(), runs.clone()], "EZ1Z2DCZ"),
        ("given up", vec![gives.clone(), group(&[&closes]), runs.clone()], "1Z3ZEZ"),
        ("not given up", vec![gives.clone(), group(&[&fails, &closes]), runs.clone()], "1ZEZ2DCZ"),
        ("given to another, or not", vec![gives.clone(), group(&[&fails, &closes, &two]), runs.clone()], "1ZEZ2DCZ"),
        ("given up twice", vec![gives, group(&[&fails, &closes]), group(&[&closes]), gives_two, runs], "1ZEZ3Z1Z2DCZ"),
    ] {
        let mut house = House::new(1, 10, 1);
        house.play(0, 0, &groups.concat());
        assert_eq!(codes(&house.clients[0].got), expected, "{case}");
        house.compare();
    }
}

#[test]
fn syncs_that_a_copy_swallows_are_not_waited_for() {
    let mut house = House::new(1, 10, 1);
    for asked in [parse("", "COPY"), bind(""), execute(), frame(b'S', b"")] {
        house.ask(0, 0, &asked);
    }
    let said = &mut house.servers[0].0.said;
    *said = [frame(b'1', b""), frame(b'2', b""), frame(b'G', b"\0\0\0")].into();
    house.hear(0, 0, 3);
    assert!(!house.clients[0].plan.is_settled());
    let client = &mut house.clients[0];
    let (server, known) = &mut house.servers[0];
    let mut parts = Parts {
        shared: &mut house.shared,
        names: &mut client.names,
        known,
        bounds: Bounds::default(),
        context: Context::default(),
    };
    let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
    let mut caused = Outgoing { client: &mut to_client, server: &mut to_server };
    for asked in [Asked::Silent, Asked::Sync, Asked::CopyEnd, Asked::Sync] {
        assert_eq!(client.plan.client(asked, &mut parts, &mut caused), Ok(Passing::AsIs));
    }
    server.said = [frame(b'C', b"COPY 0\0"), frame(b'Z', b"I")].into();
    house.hear(0, 0, 2);
    assert!(house.clients[0].plan.is_settled());
}

#[test]
fn data_of_a_copy_may_be_sent_before_the_server_asks_for_them() {
    let (end, sync) = (frame(b'c', b""), frame(b'S', b""));
    // Each COPY swallows the Syncs before the end of its own data, and no other.
    for between in [vec![], vec![sync.clone()], vec![sync.clone(), sync.clone()]] {
        let mut house = House::new(1, 10, 1);
        let copies = [vec![parse("", "COPY"), bind(""), execute()], between, vec![end.clone(), sync.clone()]].concat();
        for asked in [copies.clone(), copies].concat() {
            house.ask(0, 0, &asked);
        }
        let answers = [(b'1', &b""[..]), (b'2', b""), (b'G', b"\0\0\0"), (b'C', b"COPY 1\0"), (b'Z', b"I")];
        let answers: Vec<Vec<u8>> = answers.iter().map(|(code, body)| frame(*code, body)).collect();
        house.servers[0].0.said = [answers.clone(), answers].concat().into();
        house.hear(0, 0, usize::MAX);
        assert_eq!(codes(&house.clients[0].got), "12GCZ12GCZ");
        assert!(house.clients[0].plan.is_settled());
    }
}

/// The server has the text from elsewhere: a Parse that it skipped in a group that failed is not made up for by that.
#[test]
fn what_is_named_in_a_failed_group_is_not_there_for_the_next() {
    for given in [parse("b", "SELECT 1"), [parse("a", "SELECT 2"), parse("b", "SELECT 1")].concat()] {
        let mut house = House::new(1, 1, 1);
        let sync = frame(b'S', b"");
        house.play(0, 0, &[parse("c", "SELECT 1"), sync.clone()].concat());
        for used in [[bind("b"), execute()].concat(), close("b"), query("DEALLOCATE b"), query("EXECUTE b")] {
            let next = [used, sync.clone(), bind("b"), sync.clone()].concat();
            house.play(0, 0, &[bind("none"), given.clone(), sync.clone(), next].concat());
            house.compare();
        }
    }
}
