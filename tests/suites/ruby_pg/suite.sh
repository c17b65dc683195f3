# ruby-pg: Debian's library package has the driver. The specs of the same version come from its source package, or from the project's
# repository, of which $RUBY_PG_SOURCE may name a clone.
# shellcheck shell=bash

ruby_pg_sources() {
    debian_source ruby-pg || ruby_pg_repository || return 1
    mkdir "$kept/tree" && cp -r "$kept/src/spec" "$kept/tree/" && certificate
}

ruby_pg_repository() {
    local version
    version=$(dpkg-query -Wf '${Version}' ruby-pg) && rm -rf "$kept/src" &&
        git_source https://github.com/ged/ruby-pg "v${version%%-*}" "${RUBY_PG_SOURCE:-}"
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
