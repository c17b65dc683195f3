# ruby-pg: Debian's source package has the specs, its library package the driver of the same version.
# shellcheck shell=bash

ruby_pg_sources() {
    debian_source ruby-pg || return 1
    mkdir "$kept/tree" && cp -r "$kept/src/spec" "$kept/tree/" && certificate
}

ruby_pg_start() {
    local only=()
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t only < <(sed 's/ .*//' "$OUTCOMES_ONLY")
    (cd "$kept/tree" && timeout 900 rspec --order defined -r "$suites/ruby_pg/outcomes.rb" --format Outcomes --out "$OUTCOMES" "${only[@]}")
}

ruby_pg_server() {
    server_tls "$1"
    server_does "$1" -c 'CREATE DATABASE test'
}

ruby_pg_listener() { listener_tls; }

ruby_pg_users() { echo testusermd5 secret; }
