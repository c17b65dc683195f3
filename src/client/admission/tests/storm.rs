//! Thousands at once.

use super::*;

/// Many threads log in, wait, give up and reload at random; caps hold at every moment and nothing is left over.
#[test]
fn a_storm_on_many_threads_never_exceeds_a_cap_and_leaves_nothing() {
    const SERVERS: usize = 6;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap();
    let admission = admission(|config| {
        config.listeners[0].max_server_connections = Some(SERVERS);
        config.caps.max_clients = 40;
        config.caps.max_logins = 5;
        config.caps.queue_length = 60;
        config.caps.client.new_connections_per_second = 100_000;
        config.clients = vec![rule("everybody", "*", Some(5))];
    });
    let inside = Arc::new(Inside::default());
    let tasks: Vec<_> = (0..100_u64)
        .map(|n| {
            let (admission, inside) = (Arc::clone(&admission), Arc::clone(&inside));
            runtime.spawn(async move {
                for round in 0..40_u64 {
                    let dice = (n * 31 + round).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
                    let visit = visit(&admission, &inside, dice);
                    // Some give up in the middle, wherever that is.
                    let patience = Duration::from_micros(if dice % 3 == 0 { dice % 4_000 } else { 5_000_000 });
                    let _ = timeout(patience, visit).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        }
    });
    assert!(inside.proven_ever.load(Ordering::Relaxed) > 500, "{inside:?}");
    assert!(admission.is_zero(), "{:?}", admission.counters());
}

#[derive(Debug, Default)]
struct Inside {
    clients: AtomicUsize,
    servers: AtomicUsize,
    proven_ever: AtomicUsize,
}

/// Counts in and out; the count goes out before the permit does.
struct Within<'a>(&'a AtomicUsize);

impl<'a> Within<'a> {
    fn count(counter: &'a AtomicUsize, limit: usize) -> Self {
        assert!(counter.fetch_add(1, Ordering::SeqCst) < limit, "over the cap of {limit}");
        Self(counter)
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn visit(admission: &Arc<Admission>, inside: &Inside, dice: u64) -> Result<(), Denied> {
    let from = format!("10.0.0.{}", dice % 5);
    let _lobby = admission.lobby(address(&from));
    let _house = admission.enter(address(&from), within(2_000)).await?;
    let identity = who_at(&format!("user{}", dice % 3), &from);
    let login = admission.claim(&identity, within(2_000)).await?;
    let _server = admission.server(&party(&identity.user, &identity.database), within(2_000)).await?;
    let _servers = Within::count(&inside.servers, 6);
    sleep(Duration::from_micros(dice % 300)).await;
    if dice % 4 == 1 {
        return Ok(());
    }
    let _client = admission.prove(login, within(2_000)).await?;
    let _clients = Within::count(&inside.clients, 5);
    inside.proven_ever.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_micros(dice % 700)).await;
    Ok(())
}

/// Ten thousand dial at once, two thirds of them for one client: what can be served is served, the rest is told why
/// in time, and the work per newcomer stays small.
#[test]
fn ten_thousand_at_once_are_served_or_told_why() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let admission = admission(|config| {
        config.listeners[0].max_server_connections = Some(100);
        config.caps.max_clients = 10_000;
        config.caps.max_logins = 50;
        config.caps.max_logins_per_address = 50;
        config.caps.address_max_connections = 10_000;
        config.caps.queue_length = 1_000;
        config.caps.client.max_connections = 60;
        config.caps.client.new_connections_per_second = 100_000;
    });
    let tasks: Vec<_> = (0..10_000_u64)
        .map(|n| {
            let admission = Arc::clone(&admission);
            let identity = who(if n % 3 == 0 { "cron" } else { "web" });
            runtime.spawn(async move {
                let _house = admission.enter(identity.address, within(30_000)).await?;
                let login = admission.claim(&identity, within(30_000)).await?;
                let _server = admission.server(&party(&identity.user, &identity.database), within(30_000)).await?;
                sleep(Duration::from_millis(2)).await;
                let _client = admission.prove(login, within(30_000)).await?;
                sleep(Duration::from_millis(20)).await;
                Ok::<_, Denied>(())
            })
        })
        .collect();
    let mut rules = std::collections::BTreeMap::new();
    runtime.block_on(async {
        for task in tasks {
            let outcome = timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
            *rules.entry(outcome.map_or_else(|denied| denied.rule, |()| "served")).or_insert(0) += 1;
        }
    });
    assert!(rules["served"] >= 1_000, "{rules:?}");
    assert!(rules.keys().all(|rule| ["served", "queue_length"].contains(rule)), "{rules:?}");
    assert!(admission.is_zero(), "{:?}", admission.counters());
}
