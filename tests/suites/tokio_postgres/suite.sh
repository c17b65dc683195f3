# tokio-postgres: its crate has the tests, and Floodwall uses it itself: it is at hand, at the version of Cargo.lock.
# shellcheck shell=bash

tokio_postgres_sources() {
    local manifest
    manifest=$(cargo metadata --locked --format-version 1 | python3 -c 'import json, sys
print(*(package["manifest_path"] for package in json.load(sys.stdin)["packages"] if package["name"] == "tokio-postgres"))') || return 1
    cp -r "$(dirname "$manifest")" "$kept/tree"
    # The server's port stands in the tests.
    free_port $((25000 + RANDOM % 900)) >"$kept/port"
    sed -i "s/\b5433\b/$(<"$kept/port")/g" "$kept"/tree/tests/test/*.rs "$kept"/tree/tests/test/types/*.rs
    # A package of its own, and nothing but what the tests need.
    echo '[workspace]' >>"$kept/tree/Cargo.toml"
    in_tree --no-run
}

# in_tree ARGUMENT...: with all the libraries of types.
in_tree() { (cd "$kept/tree" && cargo test --target-dir "$kept/target" --all-features --test test "$@"); }

tokio_postgres_start() {
    local only=()
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t only <"$OUTCOMES_ONLY"
    in_tree -- ${only[@]:+--exact "${only[@]}"} | tee "$OUTCOMES.why" | rust_outcomes >"$OUTCOMES"
}

# Users by the way in which the server asks for their passwords.
tokio_postgres_server() {
    server_does "$1" -d postgres <<SQL
SET password_encryption = 'scram-sha-256';
CREATE ROLE pass_user PASSWORD 'password' LOGIN;
CREATE ROLE scram_user PASSWORD 'password' LOGIN;
SET password_encryption = 'md5';
CREATE ROLE md5_user PASSWORD 'password' LOGIN;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
SQL
    printf 'host all %s 127.0.0.1/32 %s\n' pass_user password md5_user md5 scram_user scram-sha-256 | server_asks "$1"
}

tokio_postgres_users() { printf '%s password\n' pass_user md5_user scram_user; }

# The superuser has no password there either.
tokio_postgres_access() {
    printf '[[access]]\nuser = "%s"\naddress = "127.0.0.0/8"\nmethod = "%s"\n' postgres trust pass_user plain md5_user md5 scram_user scram
}
