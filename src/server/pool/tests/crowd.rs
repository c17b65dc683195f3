//! More pools than the listener has places for: who gets which, and how soon.

use super::*;

/// How long a transaction takes.
const WORK: Duration = Duration::from_millis(1);

/// One worker whose pools share so many places.
fn house(places: usize) -> House {
    let works = Works { places: Some(Arc::new(Semaphore::new(places))), ..Works::default() };
    House { maker: Maker(Rc::new(works)), ..House::new(LIMITS, 1) }
}

/// A client of the pool of that number.
fn client(house: &House, pool: usize) -> Lease<Maker> {
    Lease::new(house.workers[0].pool(&key(&format!("d{pool}")), || house.maker.clone()))
}

pub(super) async fn work(lease: &mut Lease<Maker>) {
    take(lease).await.unwrap();
    sleep(WORK).await;
    lease.give();
}

/// So many clients of so many pools come at once and run one transaction each; how long until all are through.
async fn storm(house: &House, pools: usize, clients: usize) -> Duration {
    let begun = clock::now();
    let mut leases: Vec<_> = (0..pools * clients).map(|number| client(house, number % pools)).collect();
    futures::future::join_all(leases.iter_mut().map(work)).await;
    clock::now() - begun
}

/// Nobody starves any more, and no promise is left.
fn assert_settled(house: &House) {
    let rows = house.register.rows();
    assert!(!rows.is_empty(), "who is gone cannot be asked");
    for lines in rows.iter().map(|row| house.register.rooms.of(&row.key)) {
        for room in [Room::Listener, Room::Database, Room::User] {
            assert_eq!(lines.of(room).oldest(), None);
            assert!(!lines.of(room).promise());
        }
    }
    assert_eq!(rows.iter().map(|row| row.cl_waiting).sum::<usize>(), 0);
}

#[test]
fn pools_that_all_come_at_once_do_not_close_what_they_make() {
    run(async {
        let house = house(100);
        let took = storm(&house, 50, 100).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        let made = house.maker.0.made.get();
        assert!(made <= 200, "{made} servers were made for 100 places");
        settle().await;
        assert_settled(&house);
    });
}

#[test]
fn pools_whose_clients_are_through_make_room_at_once() {
    run(async {
        let house = house(10);
        let took = storm(&house, 30, 10).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
        settle().await;
        assert_settled(&house);
    });
}

#[test]
fn pools_that_are_never_through_take_turns() {
    run(async {
        let house = house(2);
        let done: Vec<_> = (0..5).map(|_| Rc::new(Cell::new(0))).collect();
        let clients: Vec<_> = (0..15)
            .map(|number| {
                let (mut lease, done) = (client(&house, number % 5), Rc::clone(&done[number % 5]));
                spawn_local(async move {
                    loop {
                        work(&mut lease).await;
                        done.update(|done| done + 1);
                    }
                })
            })
            .collect();
        sleep(Duration::from_secs(20)).await;
        let done: Vec<usize> = done.iter().map(|done| done.get()).collect();
        let sum: usize = done.iter().sum();
        assert!(done.iter().all(|done| done * 10 > sum), "{done:?}");
        assert!(sum > 20_000, "turns cost too much: {done:?}");
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        settle().await;
        sleep(Duration::from_secs(1)).await;
        assert_settled(&house);
    });
}

#[test]
fn a_guaranteed_server_is_kept() {
    run(async {
        let house = house(1);
        house.register.set_bounds(Limits { guaranteed: 1, ..LIMITS });
        work(&mut client(&house, 0)).await;
        let mut other = client(&house, 1);
        assert!(timeout(Duration::from_secs(5), take(&mut other)).await.is_err(), "it was given away");
        other.leave();
        house.register.set_bounds(LIMITS);
        work(&mut client(&house, 0)).await;
        timeout(Duration::from_secs(1), take(&mut other)).await.expect("it is kept still").unwrap();
    });
}
