//! Statements without a name.

use super::*;

#[test]
fn an_unnamed_statement_of_another_client_is_never_bound() {
    let mut house = House::new(1, 10, 2);
    house.ask(0, 0, &parse("", "SELECT 'mine'"));
    house.end(0, 0);
    house.ask(1, 0, &bind(""));
    house.end(1, 0);
    assert_eq!(codes(&house.clients[1].got), "EZ");
    house.ask(1, 0, &parse("", "SELECT 'theirs'"));
    house.end(1, 0);
    house.ask(0, 0, &bind(""));
    house.ask(0, 0, &execute());
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1Z2DCZ");
    house.compare();
}

#[test]
fn an_unnamed_statement_that_is_repeated_is_prepared_once_at_each_server() {
    let mut house = House::new(2, 2, 2);
    house.bounds.repeats = Repeats::Prepared;
    let sent = |house: &House, server: usize| -> Vec<u8> {
        house.servers[server].0.said.iter().map(|frame| frame[0]).collect()
    };
    let group = [parse("", "SELECT $1"), bind(""), execute()];
    for (time, server, expected) in
        [(4, 0, b"12DC"), (5, 0, b"12DC"), (6, 0, b"2DC "), (7, 1, b"12DC"), (8, 1, b"2DC ")]
    {
        for client in if time == 4 { vec![0; 4] } else { vec![time % 2] } {
            group.iter().for_each(|asked| house.ask(client, server, asked));
            assert_eq!(sent(&house, server), expected.trim_ascii(), "time {time}");
            house.end(client, server);
        }
    }
    house.compare();
    // It is the client's unnamed statement all the same: at any server, until it prepares another, closes it or asks by Query.
    for asked in [describe(""), bind(""), execute(), parse("", "bad $1"), bind("")] {
        house.ask(0, 1, &asked);
    }
    house.end(0, 1);
    house.ask(0, 0, &bind(""));
    house.end(0, 0);
    for ends in [close(""), query("SELECT 1")] {
        group.iter().for_each(|asked| house.ask(1, 0, asked));
        house.end(1, 0);
        house.ask(1, 0, &ends);
        house.end(1, 0);
        house.ask(1, 0, &bind(""));
        house.end(1, 0);
    }
    house.compare();
    assert_eq!(codes(&house.clients[1].got), "");
}
