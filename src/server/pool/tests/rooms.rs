//! Places of a database or of a role: pools that share them make room for each other, and no others do.

use super::crowd::work;
use super::*;

fn of(user: &str, database: &str) -> Key {
    Key { user: user.to_owned(), database: database.to_owned() }
}

/// A maker with so many places of that room.
fn maker(room: Room, places: usize) -> Maker {
    Maker(Rc::new(Works { places: Some(Arc::new(Semaphore::new(places))), room: Some(room), ..Works::default() }))
}

/// Clients of a pool that never rest, and how often they were through.
fn clients(house: &House, key: &Key, maker: &Maker) -> Rc<Cell<usize>> {
    let done = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let mut lease = Lease::new(house.workers[0].pool(key, || maker.clone()));
        let done = Rc::clone(&done);
        spawn_local(async move {
            loop {
                work(&mut lease).await;
                done.update(|done| done + 1);
            }
        });
    }
    done
}

#[test]
fn pools_of_one_database_take_turns_and_cost_no_other_database_a_server() {
    for (room, second, beside) in
        [(Room::Database, of("web", "shop"), of("app", "blog")), (Room::User, of("app", "blog"), of("web", "shop"))]
    {
        run(async move {
            let house = House::new(LIMITS, 1);
            let shared = maker(room, 1);
            let apart = Maker::default();
            let others = clients(&house, &beside, &apart);
            sleep(Duration::from_secs(1)).await;
            let (made, served) = (apart.0.made.get(), others.get());
            assert_eq!(made, 3);
            let both = [of("app", "shop"), second].map(|key| clients(&house, &key, &shared));
            sleep(Duration::from_secs(20)).await;
            let done = both.map(|done| done.get());
            assert!(done.iter().all(|one| one * 6 > done.iter().sum()), "{room:?}: {done:?}");
            assert_eq!(apart.0.made.get(), made, "{room:?}: one that could give nothing has given up a server");
            assert!(others.get() >= served * 20, "{room:?}: {served}, then {}", others.get());
        });
    }
}

#[test]
fn an_idle_server_of_the_same_room_makes_room_at_once_and_one_of_another_stays() {
    run(async {
        let house = House::new(LIMITS, 1);
        let (shared, apart) = (maker(Room::Database, 1), Maker::default());
        let lease = |key: Key, maker: &Maker| Lease::new(house.workers[0].pool(&key, || maker.clone()));
        let mut others: Vec<_> = (0..5).map(|_| lease(of("app", "blog"), &apart)).collect();
        futures::future::join_all(others.iter_mut().map(take)).await;
        others.iter_mut().for_each(Lease::give);
        let (mut first, mut second) = (lease(of("app", "shop"), &shared), lease(of("web", "shop"), &shared));
        work(&mut first).await;
        let begin = clock::now();
        work(&mut second).await;
        assert!(begin.elapsed() < AGAIN, "{:?}", begin.elapsed());
        let idle = |user: &str, database: &str| {
            let rows = house.register.rows();
            rows.iter().find(|row| row.key == of(user, database)).map_or(0, |row| count(row, Standing::Idle))
        };
        assert_eq!([idle("app", "blog"), idle("app", "shop"), idle("web", "shop")], [5, 0, 1]);
    });
}

/// The place that a pool waits for is another one by now: those who could give the first are asked no more.
#[test]
fn who_starves_in_another_room_has_left_the_first() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut waits = Lease::new(house.workers[0].pool(&of("web", "shop"), || house.maker.clone()));
        let pool = house.workers[0].pool(&of("web", "shop"), || house.maker.clone());
        let slot = pool.shared.reserve(1).unwrap();
        assert!(futures::poll!(pin!(take(&mut waits))).is_pending());
        let mut placing = slot.wait_for_place(Some(Room::Database)).unwrap();
        let lines = house.register.rooms.of(&of("web", "shop"));
        let hungry = || lines.hungry().collect::<Vec<_>>();
        assert_eq!(hungry(), [Room::Database]);
        placing.ask_again(None).unwrap();
        assert_eq!(hungry(), [Room::Database]);
        placing.ask_again(Some(Room::Listener)).unwrap();
        assert_eq!(hungry(), [Room::Listener]);
        drop(placing);
        assert_eq!(hungry(), []);
        drop(slot);
    });
}

#[test]
fn a_session_of_its_own_gets_a_place_of_its_database_alone() {
    run(async {
        let house = House::new(LIMITS, 1);
        let mut taken = Vec::new();
        for key in [of("app", "shop"), of("app", "blog")] {
            let mut lease = Lease::new(house.workers[0].pool(&key, || house.maker.clone()));
            take(&mut lease).await.unwrap();
            taken.push(lease);
        }
        let mut outsider = super::super::Outsider::new(Arc::clone(&house.register), of("web", "shop"));
        outsider.ask(Room::Database);
        taken.iter_mut().for_each(Lease::give);
        settle().await;
        let left = |database: &str| {
            let rows = house.register.rows();
            rows.iter().find(|row| row.key == of("app", database)).map_or(0, |row| row.servers.len())
        };
        assert_eq!([left("shop"), left("blog")], [0, 1]);
        outsider.ask(Room::User);
        outsider.ask(Room::Database);
        drop(outsider);
        assert!(!house.register.rooms.of(&of("web", "shop")).is_anybody_hungry());
    });
}
