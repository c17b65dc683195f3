# psycopg 3: its releases on PyPI come without the tests. They come from the project's repository, of which $PSYCOPG_SOURCE may
# name a clone, or from Debian's source package. The driver is PyPI's of the same version.
# shellcheck shell=bash

psycopg_sources() {
    local version
    git_source https://github.com/psycopg/psycopg 3.3.4 "${PSYCOPG_SOURCE:-}" || debian_source psycopg3 || return 1
    version=$(sed -nE 's/^(__)?version(__)? *= *"?([0-9][0-9.]*[0-9])"?.*/\3/p' "$kept"/src/psycopg/{pyproject.toml,setup.cfg,psycopg/version.py} 2>/dev/null | head -n 1)
    [ -n "$version" ] || { echo "the sources tell no version"; return 1; }
    mkdir "$kept/tree" && cp -r "$kept/src/tests" "$kept/src/pyproject.toml" "$kept/tree" && venv "psycopg[binary,pool,test]==$version"
}

# Left out: other databases, type checks and what measures time, which says nothing on a busy machine. In one order: a run by chance
# could not be held against another.
psycopg_start() {
    PSYCOPG_TEST_DSN="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=$PGDATABASE" \
        in_venv -p no:randomly -m 'not crdb and not timing and not mypy' tests
}
