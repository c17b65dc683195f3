//! What `EXECUTE` runs by a name that a client has given by the protocol.

use super::*;

#[test]
fn what_sql_executes_by_a_name_of_the_protocol_is_what_its_client_means() {
    for outer in ["", "runs"] {
        let mut house = House::new(2, 10, 2);
        for (client, text) in [(0, "SELECT 1"), (1, "SELECT 2")] {
            house.play(client, 0, &[parse("a", text), frame(b'S', b"")].concat());
        }
        // At a server that never had it, too.
        for server in [0, 1] {
            for client in [0, 1] {
                house.play(client, server, &query("EXECUTE a"));
            }
        }
        let runs = [bind(outer), frame(b'D', b"P\0"), execute(), frame(b'S', b"")].concat();
        house.play(0, 0, &[parse(outer, "EXPLAIN (VERBOSE) EXECUTE a(NULL)"), frame(b'S', b"")].concat());
        house.play(0, 1, &runs);
        house.play(0, 0, &runs);
        house.compare();
        // The name is gone, and stands for another statement: no earlier one is run.
        house.play(0, 1, &[close("a"), frame(b'S', b"")].concat());
        house.clients[0].got.clear();
        house.play(0, 1, &runs);
        assert_eq!(codes(&house.clients[0].got), "EZ");
        house.play(0, 1, &[parse("a", "SELECT 3"), frame(b'S', b""), runs].concat());
        assert_eq!(codes(&house.clients[0].got), "EZ1ZEZ");
    }
}

#[test]
fn nobody_executes_what_others_have_prepared() {
    let mut house = House::new(1, 10, 2);
    house.play(0, 0, &[parse("a", "SELECT 1"), frame(b'S', b"")].concat());
    house.play(1, 0, &query("EXECUTE \"FLOODWALL_1\""));
    let runs = [parse("", "EXECUTE \"FLOODWALL_1\""), bind(""), execute(), frame(b'S', b"")].concat();
    house.play(1, 0, &runs);
    assert_eq!(codes(&house.clients[1].got), "EZ12EZ");
    house.compare();
}
