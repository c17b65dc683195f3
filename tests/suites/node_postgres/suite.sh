# node-postgres (`pg`): its package comes without the tests. They come from the project's repository, of which $NODE_POSTGRES_SOURCE
# may name a clone; the driver is npm's of the same version.
# shellcheck shell=bash

node_postgres_release=8.23.0

node_postgres_sources() {
    git_source https://github.com/brianc/node-postgres "pg@$node_postgres_release" "${NODE_POSTGRES_SOURCE:-}" || return 1
    # With the tests it wants these libraries, as its package.json pins them.
    mkdir "$kept/tree" && (cd "$kept/tree" && echo '{ "private": true }' >package.json &&
        npm install --silent --no-audit --no-fund "pg@$node_postgres_release" async@2.6.4 bluebird@3.7.2 co@4.6.0 pg-copy-streams@0.3.0) || return 1
    cp -r "$kept/src/packages/pg/test" "$kept/tree/node_modules/pg/" && certificate
}

# Its tests in plain JavaScript that want a server.
node_postgres_start() { (cd "$kept/tree/node_modules/pg/test" && node "$suites/node_postgres/run.mjs" integration); }

node_postgres_server() { server_tls "$1"; }

node_postgres_listener() { listener_tls; }
