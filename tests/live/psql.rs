//! psql as people use it.

use crate::support::cluster::run;
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::process::Scratch;
use crate::support::site::Site;

#[test]
fn describes_tables_and_completes_a_script() {
    let site = Site::new("psql", "");
    site.sql("CREATE TABLE t (n int PRIMARY KEY, m text)");
    let commands =
        ["\\d", "\\d t", "\\dt+", "\\l", "\\du", "\\df pg_catalog.abs", "\\dn", "\\dx", "\\conninfo", "\\ds"];
    for command in commands {
        let out = site.psql_ok(&["-c", command]);
        assert_eq!(stderr(&out), "", "{command}");
    }
    site.finish();
}

#[test]
fn runs_a_script_with_variables_gexec_and_errors() {
    let site = Site::new("script", "");
    let script = "\\set ON_ERROR_STOP 0\n\
                  CREATE TABLE t (n int);\n\
                  SELECT format('INSERT INTO t VALUES (%s)', n) FROM generate_series(1, 5) n \\gexec\n\
                  SELECT count(*) AS total FROM t \\gset\n\
                  \\echo total :total\n\
                  SELECT 1/0;\n\
                  \\echo :LAST_ERROR_SQLSTATE\n\
                  BEGIN; DELETE FROM t WHERE n < 3; ROLLBACK;\n\
                  \\set AUTOCOMMIT off\n\
                  INSERT INTO t VALUES (6);\n\
                  COMMIT;\n\
                  SELECT count(*) FROM t;\n";
    let scratch = Scratch::new("script");
    let file = scratch.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let out = run(site.program("psql").args(["-XAtq", "-f"]).arg(&file));
    let lines: Vec<String> = stdout(&out).lines().map(str::to_owned).collect();
    assert_eq!(lines, ["total 5", "22012", "6"], "{}", stderr(&out));
    site.finish();
}

#[test]
fn large_objects_go_in_and_out_by_function_calls() {
    let site = Site::new("lo", "");
    let scratch = Scratch::new("lo");
    let (before, after) = (scratch.path().join("before"), scratch.path().join("after"));
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).take(3_000_001).collect();
    std::fs::write(&before, &bytes).unwrap();
    let import = format!("\\lo_import '{}' \\echo :LASTOID", before.display());
    let mut psql = site.program("psql");
    let script = scratch.path().join("lo.sql");
    std::fs::write(&script, import.replace(" \\echo", "\n\\echo") + "\n").unwrap();
    let oid = stdout(&run(psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&script)));
    site.psql_ok(&["-c", &format!("\\lo_export {oid} '{}'", after.display())]);
    assert!(std::fs::read(&after).unwrap() == bytes, "the large object came back changed");
    site.psql_ok(&["-c", &format!("\\lo_unlink {oid}")]);
    site.finish();
}

#[test]
fn connects_with_a_url_and_asks_for_encryption_in_vain() {
    let site = Site::new("url", "");
    for (mode, works) in [("disable", true), ("prefer", true), ("allow", true), ("require", false)] {
        let url = format!("{}?sslmode={mode}", site.proxy.url("app", &site.database));
        let out = site.program("psql").args(["-XAtq", "-c", "SELECT 1", &url]).output().unwrap();
        assert_eq!(out.status.success(), works, "{mode}: {}", stderr(&out));
        assert!(works || stderr(&out).contains("server does not support SSL"), "{}", stderr(&out));
    }
    site.finish();
}

#[test]
fn backend_pid_is_the_servers_own() {
    let site = Site::new("pid", "");
    let mut client = site.raw();
    let (pid, secret) = client.key.clone().unwrap();
    assert_eq!(client.rows("SELECT pg_backend_pid()"), [[pid.to_string()]]);
    assert!(direct() || (4..=256).contains(&secret.len()));
    drop(client);
    site.finish();
}
