# sqlx, from the project's repository, of which $SQLX_SOURCE may name a clone.
# shellcheck shell=bash

sqlx_sources() {
    git_source https://github.com/launchbadge/sqlx v0.8.6 "${SQLX_SOURCE:-}" || return 1
    # With the compiler at hand, and without what only benches, other databases and the tests of macros want.
    rm -f "$kept/src/rust-toolchain.toml"
    sed -i -E '/^\[dev-dependencies\]/,/^\[workspace\.lints/ { /^(criterion|trybuild|libsqlite3-sys|async-std) / d }' "$kept/src/Cargo.toml"
    # One of its queries asks a server while it is compiled.
    sed -i 's/sqlx::query!("SELECT 1 AS one")/sqlx::query("SELECT 1 AS one")/' "$kept/src/tests/postgres/postgres.rs"
    in_sqlx --no-run
}

sqlx_tests=(any any-pool postgres{,-types,-describe,-error,-query-builder,-test-attr,-migrate})

# in_sqlx ARGUMENT...: without the tests that ask a server while they are compiled.
in_sqlx() {
    (cd "$kept/src" && cargo test --target-dir "$kept/target" --no-fail-fast --no-default-features \
        --features any,macros,migrate,postgres,_unstable-all-types,runtime-tokio,tls-none "${sqlx_tests[@]/#/--test=}" "$@")
}

# Each by the name of its program and its own.
sqlx_start() {
    local only=()
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t only < <(sed 's/^[^ ]* //' "$OUTCOMES_ONLY")
    DATABASE_URL=postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE in_sqlx -- ${only[@]:+--exact "${only[@]}"} 2>&1 | tee "$OUTCOMES.why" |
        sed -uE 's,^ +Running tests/(.*)[.]rs .*,program \1,' | awk '$1 == "program" { program = $2 } $1 == "test" { $1 = "test " program; print }' |
        rust_outcomes >"$OUTCOMES"
}

sqlx_server() { server_does "$1" -f "$kept/src/tests/postgres/setup.sql"; }
