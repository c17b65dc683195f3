# Perl's DBD::Pg: the project's repository, of which $DBD_PG_SOURCE may name a clone, has the tests and the driver; Debian's source
# package has them as well, of whatever version.
# shellcheck shell=bash

dbd_pg_sources() {
    git_source https://github.com/bucardo/dbdpg 3.18.0 "${DBD_PG_SOURCE:-}" || debian_source libdbd-pg-perl || return 1
    (cd "$kept/src" && perl Makefile.PL </dev/null && make)
}

dbd_pg_start() {
    local files
    # What it found out about a server before.
    cd "$kept/src" && rm -f README.testdatabase
    files=(t/*.t)
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t files < <(sed 's/::.*//' "$OUTCOMES_ONLY" | sort -u)
    DBI_DSN="dbi:Pg:host=$PGHOST;port=$PGPORT;dbname=$PGDATABASE" DBI_USER=$PGUSER DBI_PASS=$PGPASSWORD \
        python3 "$suites/dbd_pg/outcomes.py" "${files[@]}"
}
