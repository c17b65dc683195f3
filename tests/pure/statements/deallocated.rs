//! Statements that SQL ends.

use super::*;

#[test]
fn all_of_one_client_is_nothing_of_another() {
    let mut house = House::new(1, 10, 2);
    for client in [0, 1] {
        house.ask(client, 0, &parse("a", "SELECT 1"));
        house.end(client, 0);
    }
    for asked in [parse("", "all"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    for client in [1, 0] {
        house.ask(client, 0, &bind("a"));
        house.ask(client, 0, &execute());
        house.end(client, 0);
    }
    assert_eq!(codes(&house.clients[1].got), "1Z2DCZ");
    assert!(codes(&house.clients[0].got).ends_with("EZ"));
    house.compare();
}

#[test]
fn what_sql_deallocates_is_given_up_and_stays_at_the_server_for_others() {
    let mut house = House::new(2, 10, 2);
    for client in [0, 1] {
        house.ask(client, 0, &parse("a", "SELECT 1"));
        house.end(client, 0);
    }
    // At a server that never had it, too; and once only.
    for (server, expected) in [(1, "CZ"), (0, "EZ")] {
        house.clients[0].got.clear();
        house.clients[0].own.said.clear();
        house.ask(0, server, &query("DEALLOCATE a"));
        house.hear(0, server, usize::MAX);
        assert_eq!(codes(&house.clients[0].got), expected);
    }
    house.ask(1, 0, &bind("a"));
    house.end(1, 0);
    house.ask(0, 0, &parse("a", "SELECT 2"));
    for asked in [parse("", "DEALLOCATE a"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    assert!(codes(&house.clients[0].got).ends_with("112CZ"));
    house.compare();
}

#[test]
fn a_deallocate_that_the_server_does_not_get_to_takes_nothing_away() {
    let mut house = House::new(1, 10, 1);
    house.ask(0, 0, &parse("a", "SELECT 1"));
    house.end(0, 0);
    for asked in [bind("none"), parse("", "DEALLOCATE a"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    // In a failed transaction the server denies the first message of ours, and what follows up to Sync is skipped.
    house.ask(0, 0, &query("DEALLOCATE a"));
    house.clients[0].own.said.clear();
    house.clients[0].own.named.insert(b"a".to_vec(), b"SELECT 1\0\0\0".to_vec());
    house.servers[0].0.said = [frame(b'E', b"SERROR\0C25P02\0Mno\0\0"), frame(b'Z', b"E")].into();
    house.clients[0].got.clear();
    house.hear(0, 0, usize::MAX);
    assert_eq!(codes(&house.clients[0].got), "EZ");
    house.clients[0].got.clear();
    house.ask(0, 0, &bind("a"));
    house.end(0, 0);
    house.compare();
}

#[test]
fn nobody_deallocates_what_others_use() {
    let mut house = House::new(1, 10, 2);
    house.ask(0, 0, &parse("a", "SELECT 1"));
    house.end(0, 0);
    house.ask(1, 0, &query("DEALLOCATE \"FLOODWALL_1\""));
    house.hear(1, 0, usize::MAX);
    for asked in [parse("", "DEALLOCATE \"FLOODWALL_1\""), bind(""), execute()] {
        house.ask(1, 0, &asked);
    }
    house.end(1, 0);
    assert_eq!(codes(&house.clients[1].got), "EZ12EZ");
    house.ask(0, 0, &bind("a"));
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1Z2Z");
    house.compare();
}

/// The group before was to prepare it, and fails: the server says so only then.
#[test]
fn what_a_failed_group_was_to_prepare_is_not_there_to_be_deallocated() {
    let sync = frame(b'S', b"");
    for (text, expected) in [("SELECT 1", "1Z12CZ"), ("bad $1", "EZ12EZ")] {
        let mut house = House::new(1, 10, 1);
        let prepares = [parse("a", text), sync.clone()].concat();
        let ends = [parse("", "DEALLOCATE a"), bind(""), execute(), sync.clone()].concat();
        house.play(0, 0, &[prepares, ends].concat());
        assert_eq!(codes(&house.clients[0].got), expected, "{text}");
        house.compare();
    }
}

/// Sent without waiting behind one that comes to nothing: in a failed transaction, say.
#[test]
fn what_an_unanswered_deallocate_may_have_left_is_waited_for() {
    let mut house = House::new(1, 10, 1);
    house.play(0, 0, &[parse("a", "SELECT 1"), frame(b'S', b"")].concat());
    house.ask(0, 0, &query("DEALLOCATE a"));
    house.clients[0].own.said.clear();
    house.clients[0].own.named.insert(b"a".to_vec(), b"SELECT 1\0\0\0".to_vec());
    house.servers[0].0.said = [frame(b'E', b"SERROR\0C25P02\0Mno\0\0"), frame(b'Z', b"I")].into();
    house.clients[0].got.clear();
    house.play(0, 0, &[bind("a"), frame(b'S', b"")].concat());
    assert_eq!(codes(&house.clients[0].got), "EZ2Z");
}

/// The names are free as soon as the server has come to that, and so is what it has prepared.
#[test]
fn a_name_that_is_ended_with_all_others_may_be_given_again_in_the_same_group() {
    let by_parse = [parse("", "all"), bind(""), execute()].concat();
    for ends_all in [by_parse, query("all")] {
        let mut house = House::new(2, 10, 2);
        house.play(1, 0, &[parse("a", "SELECT 1"), parse("b", "SELECT 4"), frame(b'S', b"")].concat());
        house.play(0, 0, &[parse("a", "SELECT 1"), frame(b'S', b"")].concat());
        let again = [parse("a", "SELECT 4"), bind("a"), execute(), frame(b'S', b"")].concat();
        house.play(0, 0, &[ends_all.clone(), again].concat());
        assert!(codes(&house.clients[0].got).ends_with("12DCZ"), "{}", codes(&house.clients[0].got));
        // One that is gone is not taught to a server that never had it.
        for (server, asked) in [(0, bind("a")), (1, bind("a")), (0, describe("a")), (1, query("EXECUTE a"))] {
            house.play(0, 0, &[close("a"), parse("a", "SELECT 1"), frame(b'S', b"")].concat());
            house.play(0, server, &[ends_all.clone(), asked, frame(b'S', b"")].concat());
            house.clients[0].tenure = Tenure::Stays;
        }
        house.play(1, 0, &[bind("b"), execute(), frame(b'S', b"")].concat());
        house.compare();
    }
}

/// A group that fails before it comes to that ends nothing.
#[test]
fn names_stay_where_the_server_does_not_get_to_the_end_of_all() {
    let mut house = House::new(1, 10, 1);
    house.play(0, 0, &[parse("a", "SELECT 1"), frame(b'S', b"")].concat());
    let fails = [bind("none"), parse("", "all"), bind(""), execute(), parse("a", "SELECT 4"), frame(b'S', b"")];
    house.play(0, 0, &[fails.concat(), bind("a"), execute(), frame(b'S', b"")].concat());
    assert!(codes(&house.clients[0].got).ends_with("EZ2DCZ"), "{}", codes(&house.clients[0].got));
    house.compare();
}

/// What is prepared behind that may have to make room for the next one there.
#[test]
fn what_has_made_room_behind_the_end_of_all_is_prepared_again() {
    let mut house = House::new(1, 1, 1);
    house.bounds.repeats = Repeats::Prepared;
    let sync = frame(b'S', b"");
    for text in ["SELECT 2 + $1", "SELECT 3 + $1"].into_iter().flat_map(|text| [text; 4]) {
        house.play(0, 0, &[parse("", text), sync.clone()].concat());
    }
    let behind = [parse("", "SELECT 2 + $1"), parse("", "SELECT 3 + $1"), sync.clone()];
    house.play(0, 0, &[query("all"), behind.concat()].concat());
    house.compare();
    house.play(0, 0, &[parse("", "SELECT 2 + $1"), bind(""), execute(), sync].concat());
    assert!(codes(&house.clients[0].got).ends_with("12DCZ"), "{}", codes(&house.clients[0].got));
    house.compare();
}
