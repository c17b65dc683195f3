//! Configurations of PgBouncer as `floodwall import` leaves them, run in front of a server.

use std::process::Command;

use tokio_postgres::NoTls;

use crate::support::cluster::{Cluster, run};
use crate::support::command::{pg, stderr, stdout};
use crate::support::floodwall::{Launch, Proxy, direct};
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::Raw;

/// A proxy with what becomes of a `pgbouncer.ini`, whose database is `database`.
struct Imported {
    proxy: Proxy,
    database: String,
    _folder: Scratch,
}

impl Imported {
    /// `ini` is what stands below `[pgbouncer]`, `files` what it names.
    fn start(database: &str, ini: &str, files: &[(&str, &str)]) -> Self {
        Self::start_as(database, "", ini, files)
    }

    /// The same with these further keys of the database.
    fn start_as(database: &str, keys: &str, ini: &str, files: &[(&str, &str)]) -> Self {
        let folder = Scratch::new("pgbouncer");
        let cluster = Cluster::shared();
        let databases = format!("[databases]\n{database} = host=127.0.0.1 port={} {keys}\n", cluster.port);
        let given = folder.path().join("pgbouncer.ini");
        std::fs::write(&given, format!("{databases}[pgbouncer]\n{ini}")).unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        let written = folder.path().join("config.toml");
        let mut import = Command::new(env!("CARGO_BIN_EXE_floodwall"));
        run(import.arg("import").arg(&given).arg("--output").arg(&written));
        let mut config: toml::Table = std::fs::read_to_string(&written).unwrap().parse().unwrap();
        // The port is the test's own, and so is the folder of the proxy's file.
        let listener = config["listener"][0].as_table_mut().unwrap();
        listener.remove("bind").unwrap();
        if let Some(users) = listener.get_mut("users_file") {
            *users = written.with_file_name("users.toml").display().to_string().into();
        }
        if let Some(password) = listener.get_mut("auth").and_then(|auth| auth.get_mut("password_file")) {
            *password = written.with_file_name("auth.password").display().to_string().into();
        }
        if let Some(password) = config.get_mut("database").and_then(|all| all[0].get_mut("password_file")) {
            *password = written.with_file_name(password.as_str().unwrap()).display().to_string().into();
        }
        let variables = vec![("FLOODWALL_AUTH_PASSWORD", "asker-secret".to_owned())];
        let launch = Launch { variables, ..Launch::default() };
        let proxy = Proxy::launch(&format!("127.0.0.1:{}", cluster.port), &config.to_string(), launch);
        Self { proxy, database: database.to_owned(), _folder: folder }
    }

    /// psql with that password: who it is, or what it complains about.
    fn psql(&self, user: &str, password: &str, database: &str) -> Result<String, String> {
        let mut psql = pg("psql", self.proxy.port, user, database);
        let out = psql.env("PGPASSWORD", password).args(["-XAtqc", "SELECT current_user"]).output().unwrap();
        if out.status.success() { Ok(stdout(&out)) } else { Err(stderr(&out)) }
    }

    /// Users come in to the declared database, and nobody to one that the server has besides.
    fn keeps_to_its_databases(&self) {
        assert_eq!(self.psql("app", "app-secret", &self.database), Ok("app".to_owned()), "{}", self.proxy.log());
        let told = self.psql("app", "app-secret", "app").unwrap_err();
        assert!(told.contains("[[access]]"), "{told}");
    }
}

/// As PgBouncer's manual has it, but that it does not know everybody.
const ASKED: &str = "DROP ROLE IF EXISTS pgb_asker; CREATE ROLE pgb_asker LOGIN PASSWORD 'asker-secret'; \
    CREATE FUNCTION public.user_lookup(INOUT p_user text, OUT p_password text) RETURNS record LANGUAGE sql SECURITY DEFINER AS \
    $$ SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid \
    WHERE rolname = $1 AND rolcanlogin AND rolname <> 'md5_user' $$; \
    REVOKE EXECUTE ON FUNCTION public.user_lookup(text) FROM public; \
    GRANT EXECUTE ON FUNCTION public.user_lookup(text) TO pgb_asker";

#[test]
fn who_asked_the_server_for_passwords_goes_on_doing_so() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let database = cluster.create_database("lookup");
    cluster.sql(&database, ASKED);
    let ini = format!(
        "pool_mode = transaction\nauth_type = scram-sha-256\nauth_user = pgb_asker\nauth_dbname = {database}\n\
         auth_query = SELECT p_user, p_password FROM public.user_lookup($1)\n"
    );
    let known = Imported::start(
        &database,
        &format!("{ini}auth_file = users\n"),
        &[("users", "\"pgb_asker\" \"asker-secret\"\n")],
    );
    known.keeps_to_its_databases();
    drop(known);
    let imported = Imported::start(&database, &ini, &[]);
    imported.keeps_to_its_databases();
    for (user, password) in [("app", "wrong"), ("md5_user", "md5-secret"), ("nobody", "x")] {
        let told = imported.psql(user, password, &database).unwrap_err();
        assert!(told.ends_with(&format!("password authentication failed for user \"{user}\"")), "{told}");
    }
    assert_eq!(imported.proxy.console("SHOW POOLS").unwrap()[0]["pool_mode"], "transaction");
}

#[test]
fn a_line_of_the_hba_file_for_all_databases_means_those_that_pgbouncer_had() {
    if direct() {
        return;
    }
    let database = Cluster::shared().create_database("hba");
    let ini = "pool_mode = transaction\nauth_type = hba\nauth_hba_file = hba.conf\nauth_file = users.txt\n";
    let files = [("hba.conf", "host all app 127.0.0.0/8 scram-sha-256\n"), ("users.txt", "\"app\" \"app-secret\"\n")];
    Imported::start(&database, ini, &files).keeps_to_its_databases();
}

#[test]
fn where_the_server_checks_passwords_its_other_databases_stay_closed() {
    if direct() {
        return;
    }
    let database = Cluster::shared().create_database("relayed");
    Imported::start(&database, "auth_type = md5\n", &[]).keeps_to_its_databases();
}

#[test]
fn a_database_keeps_its_other_name_its_role_and_its_size() {
    if direct() {
        return;
    }
    let database = Cluster::shared().create_database("shop");
    for mode in ["transaction", "session"] {
        let ini = format!("pool_mode = {mode}\nauth_type = scram-sha-256\nauth_file = users\n");
        let keys = format!("dbname={database} user=app password=app-secret pool_size=3");
        let users = [("users", "\"replicator\" \"replicator-secret\"\n")];
        let imported = Imported::start_as("shop", &keys, &ini, &users);
        let came = imported.psql("replicator", "replicator-secret", "shop");
        assert_eq!(came, Ok("app".to_owned()), "{mode}: {}", imported.proxy.log());
        // By the server's own name it was not there, and is not.
        let told = imported.psql("replicator", "replicator-secret", &database).unwrap_err();
        assert!(told.contains("[[access]]"), "{mode}: {told}");
        if mode == "transaction" {
            let rows = imported.proxy.console("SHOW DATABASES").unwrap();
            let shown = ["name", "database", "force_user", "pool_size"].map(|column| rows[0][column].as_str());
            assert_eq!(shown, ["shop", &database, "app", "3"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_keeps_its_own_mode() {
    if direct() {
        return;
    }
    let database = Cluster::shared().create_database("modes");
    let users = [("users", "\"app\" \"app-secret\"\n\"replicator\" \"replicator-secret\"\n")];
    for (mode, own) in [("transaction", "session"), ("session", "transaction")] {
        let ini = format!(
            "pool_mode = {mode}\nauth_type = scram-sha-256\nauth_file = users\n[users]\nreplicator = pool_mode={own}\n"
        );
        let imported = Imported::start(&database, &ini, &users);
        let mut clients = Vec::new();
        for user in ["app", "replicator"] {
            let (client, connection) =
                tokio_postgres::connect(&imported.proxy.conn_str(user, &database), NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("SELECT 1").await.unwrap();
            clients.push(client);
        }
        let rows = imported.proxy.console("SHOW POOLS").unwrap();
        let shown: Vec<_> = rows.iter().map(|row| (row["user"].as_str(), row["pool_mode"].as_str())).collect();
        assert_eq!(shown, [("app", mode), ("replicator", own)]);
    }
}

#[test]
fn the_bounds_of_a_database_and_of_a_user_hold() {
    if direct() {
        return;
    }
    let database = Cluster::shared().create_database("bounds");
    let users = [("users", "\"app\" \"app-secret\"\n\"replicator\" \"replicator-secret\"\n")];
    for mode in ["transaction", "session"] {
        let ini = format!(
            "pool_mode = {mode}\nauth_type = trust\nauth_file = users\nmax_user_connections = 1\nquery_wait_timeout = 1\n\
             [users]\napp = max_user_connections=5\n"
        );
        let imported = Imported::start_as(&database, "max_db_connections=3", &ini, &users);
        let hold = |user: &str| {
            let mut client = Raw::login(imported.proxy.port, user, &database).map_err(|error| error.summary())?;
            let reply = client.query("BEGIN; SELECT 1");
            let error = reply.iter().find(|message| message.code == b'E');
            error.map_or_else(|| Ok(client), |error| Err(error.summary() + &error.field(b'D').unwrap_or_default()))
        };
        let held = [hold("app"), hold("replicator")].map(Result::unwrap);
        let error = hold("replicator").map(drop).unwrap_err();
        assert!(error.contains("max_user_connections"), "{mode}: {error}");
        let third = hold("app").unwrap();
        let error = hold("app").map(drop).unwrap_err();
        assert!(error.contains("max_db_connections"), "{mode}: {error}");
        drop((held, third));
        assert!(wait_until(SOON, || hold("app").is_ok()), "{mode}: {}", imported.proxy.log());
    }
}
