# Perl's DBD::Pg: Debian's source package has the tests and the driver.
# shellcheck shell=bash

dbd_pg_sources() { debian_source libdbd-pg-perl && (cd "$kept/src" && perl Makefile.PL </dev/null && make); }

dbd_pg_start() {
    local files
    # What it found out about a server before.
    cd "$kept/src" && rm -f README.testdatabase
    files=(t/*.t)
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t files < <(sed 's/::.*//' "$OUTCOMES_ONLY" | sort -u)
    DBI_DSN="dbi:Pg:host=$PGHOST;port=$PGPORT;dbname=$PGDATABASE" DBI_USER=$PGUSER DBI_PASS=$PGPASSWORD \
        python3 "$suites/dbd_pg/outcomes.py" "${files[@]}"
}
