//! What exporters that were written for PgBouncer ask.

use floodwall::clock;
use floodwall::roster::Activity;
use tokio_postgres::NoTls;

use crate::support::{Steer, users};

/// Columns of PgBouncer 1.26.1, as it answered.
const COLUMNS: &[(&str, &str)] = &[
    (
        "SHOW POOLS",
        "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts",
    ),
    (
        "SHOW STATS",
        "database total_server_assignment_count total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count total_bind_count total_client_login_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count avg_client_login_count",
    ),
    (
        "SHOW STATS_TOTALS",
        "database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time wait_time client_parse_count server_parse_count bind_count client_login_count",
    ),
    (
        "SHOW STATS_AVERAGES",
        "database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time wait_time avg_client_parse_count avg_server_parse_count avg_bind_count avg_client_login_count",
    ),
    ("SHOW LISTS", "list items"),
    ("SHOW TOTALS", "name value"),
    ("SHOW STATE", "key value"),
    ("SHOW CONFIG", "key value default changeable"),
    ("SHOW VERSION", "version"),
    (
        "SHOW USERS",
        "name pool_size reserve_pool_size pool_mode max_user_connections current_connections max_user_client_connections current_client_connections",
    ),
    (
        "SHOW DATABASES",
        "name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode load_balance_hosts max_connections current_connections max_client_connections current_client_connections paused disabled",
    ),
    (
        "SHOW CLIENTS",
        "type user database replication state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id",
    ),
    (
        "SHOW SERVERS",
        "type user database replication state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id",
    ),
];
/// Answers that exporters take as a whole: with a column more or less, they count Floodwall as down.
const WHOLE: [&str; 5] = ["SHOW VERSION", "SHOW CONFIG", "SHOW LISTS", "SHOW TOTALS", "SHOW STATE"];
/// Its lists.
const LISTS: [&str; 14] = [
    "databases",
    "users",
    "peers",
    "pools",
    "peer_pools",
    "free_clients",
    "used_clients",
    "login_clients",
    "free_servers",
    "used_servers",
    "dns_names",
    "dns_zones",
    "dns_queries",
    "dns_pending",
];

#[tokio::test]
async fn columns_are_those_of_pgbouncer_in_its_order() {
    let steer = Steer::start(&users());
    let (client, connection) = tokio_postgres::connect(&steer.dsn("sre", "admin secret"), NoTls).await.unwrap();
    tokio::spawn(connection);
    for (command, columns) in COLUMNS {
        let statement = client.prepare(command).await.unwrap();
        let names: Vec<_> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let theirs: Vec<_> = columns.split(' ').collect();
        assert_eq!(names[..theirs.len().min(names.len())], theirs, "{command}");
        assert!(!WHOLE.contains(command) || names.len() == theirs.len(), "{command}: {names:?}");
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{command}");
    }
    let lists = client.query("SHOW LISTS", &[]).await.unwrap();
    assert_eq!(lists.iter().map(|row| row.get::<_, String>("list")).collect::<Vec<_>>(), LISTS);
}

#[test]
fn pools_put_clients_and_servers_together() {
    let steer = Steer::start(&users());
    let (idle, waiting, other) = (steer.join("django"), steer.join("django"), steer.join("rails"));
    idle.set_activity(Activity::Idle, clock::uptime_ms());
    other.set_activity(Activity::Active, clock::uptime_ms());
    waiting.set_activity(Activity::Waiting, clock::uptime_ms());
    let pools = shown(&steer, "SHOW POOLS");
    // These clients have servers of their own beside those of the pool's row.
    assert_eq!(
        pools,
        "shop|django|1|1|0|0|5|0|1|2|0|0|4|2|17|transaction||main\n\
         shop|rails|1|0|0|0|1|0|0|0|0|0|0|0|0|session||main\n"
    );
    let lists = shown(&steer, "SHOW LISTS");
    assert!(lists.contains("databases|1\nusers|2\n") && lists.contains("pools|2\n"), "{lists}");
    assert!(lists.contains("used_clients|3\nlogin_clients|0\nfree_servers|2\nused_servers|6\n"), "{lists}");
    // The servers of the pool are those of its user.
    assert_eq!(shown(&steer, "SHOW USERS"), "django||||30|12|40|2\nrails||||0|1|0|1\n");
    // One is lent servers, the other one has its own.
    assert_eq!(
        shown(&steer, "SHOW DATABASES"),
        "shop|127.0.0.1|5432|shop||0|0|0|0|session||50|1|10000|1|0|0|main\n\
         shop|127.0.0.1|5432|shop||20|0|0|3600|transaction||50|12|10000|2|0|0|main\n"
    );
}

#[test]
fn what_was_moved_stays_when_clients_leave() {
    let steer = Steer::start(&users());
    assert_eq!(shown(&steer, "SHOW STATS"), "");
    let (one, two) = (steer.join("django"), steer.join("rails"));
    (0..3).for_each(|_| one.count_statement());
    two.count_statement();
    // Each has a server of its own, which is one assignment.
    let totals = "shop|2|0|4|0|0|0|0|0|0|0|0|2\n";
    assert_eq!(shown(&steer, "SHOW STATS_TOTALS"), totals);
    drop((one, two));
    assert_eq!(shown(&steer, "SHOW STATS_TOTALS"), totals);
    let of_all = shown(&steer, "SHOW TOTALS");
    assert!(of_all.contains("total_query_count|4\n") && of_all.contains("total_client_login_count|2\n"), "{of_all}");
    assert!(of_all.contains("\navg_query_count|") && of_all.lines().count() == 24, "{of_all}");
    let all = shown(&steer, "SHOW STATS");
    assert_eq!(all.trim_end().split('|').count(), 25);
    assert!(all.starts_with(totals.trim_end()), "{all}");
}

fn shown(steer: &Steer, sql: &str) -> String {
    let output = steer.psql("sre", "admin secret", sql);
    assert!(output.ok, "{sql}: {}", output.err);
    output.out
}
