# postgres.js (`postgres`): its package comes without the tests. They come, with the driver, from the project's repository, of which
# $POSTGRES_JS_SOURCE may name a clone.
# shellcheck shell=bash

postgres_js_sources() {
    git_source https://github.com/porsager/postgres v3.4.9 "${POSTGRES_JS_SOURCE:-}" || return 1
    # Its runner ends with the first failure; ours tells of each. Two tests name the usual port.
    cp "$suites/postgres_js/test.js" "$kept/src/tests/test.js"
    # They wait a second for a connection, which a busy machine may need.
    sed -i -e 's/connect_timeout: 1,/connect_timeout: 15,/' -e "s/@localhost:5432\/'/@localhost:' + process.env.PGPORT + '\/'/" -e 's/connect(5432)/connect(process.env.PGPORT)/' "$kept/src/tests/index.js"
    certificate
}

# It makes the database that most of it uses.
postgres_js_start() { (cd "$kept/src" && PGDATABASE=postgres PATH=$bin:$PATH node tests/index.js); }

postgres_js_server() {
    server_tls "$1"
    printf 'host all postgres_js_test_%s 127.0.0.1/32 %s\n' md5 md5 scram scram-sha-256 | server_asks "$1"
}

postgres_js_listener() { listener_tls; }

# The first has no password at its server, and takes $PGPASSWORD.
postgres_js_users() {
    echo postgres_js_test suites
    echo postgres_js_test_md5 postgres_js_test_md5
    echo postgres_js_test_scram postgres_js_test_scram
}
