//! What a session finds around it must be its own.

use crate::client::Client;
use crate::conn::Fault;

const LOOK: &str = "SELECT coalesce(current_setting('app.owner', true), ''), current_setting('work_mem'),
    current_setting('search_path'), current_setting('application_name'), coalesce(current_setting('app.local', true), ''),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    coalesce(to_regclass('pg_temp.scratch')::text, ''), coalesce(to_regclass('pg_temp.scratch_local')::text, '')";

/// Settings, locks and temporary tables of the session, against what this client has made of them.
pub(super) async fn look(client: &mut Client) -> Result<(), Fault> {
    let setting =
        |name: &str, default: &str| client.own.settings.get(name).cloned().unwrap_or_else(|| default.to_owned());
    let locks = client.own.locks.to_string();
    let scratch = if client.own.temporary.is_some() { "scratch" } else { "" };
    let (owner, memory) = (setting("app.owner", ""), setting("work_mem", "4MB"));
    let (path, application) = (setting("search_path", "\"$user\", public"), setting("application_name", ""));
    let expected = [owner.as_str(), &memory, &path, &application, "", &locks, scratch, ""];
    client.conn.query(LOOK).await?.is(&[&expected])?;
    match client.conn.parameters.get("application_name") {
        Some(told) if *told != application => Err(Fault::Wrong(format!("told of {told}, but it is {application}"))),
        _ => Ok(()),
    }
}
