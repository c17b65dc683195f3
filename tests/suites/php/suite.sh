# PHP: the tests of PDO's driver, of PDO itself through it, and of the pgsql extension. Debian's source package has them, its binary
# packages PHP and the two extensions.
# shellcheck shell=bash

php_sources() {
    debian_source "php$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')" || return 1
    mkdir "$kept/tree" && (cd "$kept/src" && tar -c run-tests.php ext/{pdo,pdo_pgsql,pgsql}/tests) | tar -x -C "$kept/tree" && rm -rf "$kept/src"
}

# They share tables, and run one after the other.
php_start() {
    local connect="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=$PGUSER password=$PGPASSWORD" diff
    cd "$kept/tree" && find . -name '*.diff' -delete
    PDO_PGSQL_TEST_DSN="pgsql:$connect" PGSQL_TEST_CONNSTR=$connect \
        php run-tests.php -q -P --set-timeout 60 -W "$OUTCOMES.list" ext/pdo_pgsql/tests ext/pgsql/tests
    sed -E -e 's/^([A-Z]+)\t/\L\1\E /' -e 's/^([a-z]+)ed&[^ ]*/\1ed/' -e "s,$kept/tree/,,g" "$OUTCOMES.list" >"$OUTCOMES"
    find . -name '*.diff' | sort | while read -r diff; do printf '=== %s\n%s\n' "$diff" "$(<"$diff")"; done >"$OUTCOMES.why"
}

php_login() { echo query; }
