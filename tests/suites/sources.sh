# Sourced by `run`: where each suite comes from, and how it is started. All of it is kept in $kept, a folder of the suite.
# shellcheck shell=bash

# suite_sources NAME: the suite's tests in $kept/tree, its driver in $kept/venv. Fails where it cannot be had; $kept/log says why.
suite_sources() {
    local sources=$1_sources
    [ ! -e "$kept/ready" ] || return 0
    rm -rf "$kept" && mkdir -p "$kept"
    echo "fetching the suite of $1"
    "$sources" >"$kept/log" 2>&1 && touch "$kept/ready"
}

# psycopg 3: its releases on PyPI come without the tests. They come from $PSYCOPG_SOURCE, a checkout of yours; from the
# project's repository at the release below; or from Debian's source package. The driver is PyPI's of the same version.
psycopg_release=3.3.4

psycopg_sources() {
    local version source=${PSYCOPG_SOURCE:-$kept/src}
    [ "$source" != "$kept/src" ] || psycopg_clone || debian_source psycopg3 || return 1
    version=$(sed -nE 's/^(__)?version(__)? *= *"?([0-9][0-9.]*[0-9])"?.*/\3/p' "$source"/psycopg/{pyproject.toml,setup.cfg,psycopg/version.py} 2>/dev/null | head -n 1)
    [ -n "$version" ] || { echo "$source: tells no version"; return 1; }
    mkdir "$kept/tree" && cp -r "$source/tests" "$source/pyproject.toml" "$kept/tree" && venv "psycopg[binary,pool,test]==$version"
}

# A clone that failed halfway must not stand in the way of the next source.
psycopg_clone() {
    GIT_TERMINAL_PROMPT=0 timeout 300 git clone -q --depth 1 --branch "$psycopg_release" \
        https://github.com/psycopg/psycopg "$kept/src" || { rm -rf "$kept/src"; return 1; }
}

# Left out: other databases, type checks and what measures time, which says nothing on a busy machine.
psycopg_start() {
    PSYCOPG_TEST_DSN="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=$PGDATABASE" \
        in_venv -m 'not crdb and not timing and not mypy' tests
}

# psycopg 2: the release on PyPI has the tests.
psycopg2_sources() { venv psycopg2-binary==2.9.11 && pypi_source psycopg2==2.9.11; }

psycopg2_start() { PSYCOPG2_TESTDB=$PGDATABASE in_venv tests; }

asyncpg_sources() { venv asyncpg==0.32.0 distro==1.9.0 && pypi_source asyncpg==0.32.0; }

# A cluster is running, as PGHOST tells it. Left out: the style of asyncpg's own sources, and what starts clusters itself.
asyncpg_start() { in_venv --ignore=tests/test__sourcecode.py tests; }

# venv PACKAGE...: a Python environment with these and the test runner.
venv() {
    python3 -m venv "$kept/venv" && "$kept/venv/bin/pip" install -q --disable-pip-version-check pytest==9.2.0 pytest-timeout==2.4.0 "$@"
}

# in_venv ARGUMENT...: the tests in $kept/tree, which holds no sources of the driver: the one installed is tested. psycopg's
# tests want pytest's cache.
in_venv() { (cd "$kept/tree" && PYTHONPATH=$suites "$kept/venv/bin/python" -m pytest -q -o "cache_dir=$kept/cache" -p outcomes --timeout=60 "$@"); }

# pypi_source PACKAGE==VERSION: the tests of a source distribution in $kept/tree/tests.
pypi_source() {
    local folder=${1/==/-}
    "$kept/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary :all: -d "$kept" "$1" || return 1
    mkdir "$kept/tree" && tar -xf "$kept/$folder.tar.gz" -C "$kept/tree" --strip-components=1 "$folder/tests"
}

# debian_source PACKAGE: the source package's upstream part in $kept/src.
debian_source() {
    local apt=$kept/apt
    mkdir -p "$apt"/{parts,lists/partial,cache}
    # apt with source packages switched on, without touching the machine's own lists.
    cp /etc/apt/sources.list "$apt/" 2>/dev/null || : >"$apt/sources.list"
    cp /etc/apt/sources.list.d/* "$apt/parts/" 2>/dev/null || true
    sed -i -e 's/^deb /deb-src /' -e 's/^Types:.*/Types: deb-src/' "$apt/sources.list" "$apt"/parts/*
    local options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=$apt/parts"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
    apt-get "${options[@]}" update || true
    (cd "$kept" && apt-get "${options[@]}" source --download-only --only-source "$1") || return 1
    mkdir "$kept/src" && tar -xf "$(ls "$kept"/*.orig.tar.* | tail -n 1)" -C "$kept/src" --strip-components=1
}
