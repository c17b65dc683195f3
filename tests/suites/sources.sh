# Sourced by `run`: what the files suite.sh, one in each suite's folder, are made of. A suite NAME has
#
#   NAME_sources   brings its tests and its driver to $kept, a folder of the suite
#   NAME_start     runs it: `OUTCOME TEST` of each test to $OUTCOMES, why it failed to $OUTCOMES.why; $OUTCOMES_ONLY may name the tests wanted
#   NAME_server    what its server has beside a database (optional): the port of the server, which is running
#   NAME_login     `query` (optional): Floodwall asks the server for verifiers, as the suite makes users itself
#   NAME_users     `NAME PASSWORD` lines of users (optional), beside postgres: for where Floodwall checks passwords
#   NAME_access    [[access]] of Floodwall (optional)
#   NAME_listener  keys of Floodwall's listener (optional)
#
# One whose port stands in its sources has it in $kept/port.
# shellcheck shell=bash

# suite_sources NAME: fails where it cannot be had; $kept/log says why.
suite_sources() {
    local sources=$1_sources
    [ ! -e "$kept/ready" ] || return 0
    rm -rf "$kept" && mkdir -p "$kept"
    echo "fetching the suite of $1"
    "$sources" >"$kept/log" 2>&1 && touch "$kept/ready"
}

# optional HOOK ARGUMENT...: calls what a suite need not have.
optional() { ! declare -F "$1" >/dev/null || "$@"; }

# git_source URL TAG [CLONE]: the tag's files in $kept/src, out of CLONE where you have one.
git_source() {
    local url=$1 tag=$2 clone=${3:-$kept/clone}
    [ -n "${3:-}" ] || GIT_TERMINAL_PROMPT=0 timeout 300 git clone -q --bare --depth 1 --branch "$tag" "$url" "$clone" || return 1
    mkdir "$kept/src" && git -C "$clone" archive "$tag" | tar -x -C "$kept/src" || { rm -rf "$kept/src"; return 1; }
}

# certificate: of the server and of Floodwall, in $kept. What follows is for hooks.
certificate() { openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -keyout "$kept/server.key" -out "$kept/server.crt"; }

listener_tls() { printf 'client_tls = { mode = "prefer", cert_file = "%s", key_file = "%s" }\n' "$kept/server.crt" "$kept/server.key"; }

# server_tls PORT
server_tls() {
    cp "$kept/server.crt" "$kept/server.key" "$scratch/data/"
    chmod 600 "$scratch/data/server.key"
    [ "$(id -u)" != 0 ] || chown postgres: "$scratch/data/"server.{crt,key}
    server_does "$1" -c 'ALTER SYSTEM SET ssl = on' -c 'SELECT pg_reload_conf()'
}

# server_asks PORT: for passwords, as the lines of standard input say, which go before the others of pg_hba.conf.
server_asks() {
    local hba=$scratch/data/pg_hba.conf
    cat - "$hba" >"$scratch/hba"
    cat "$scratch/hba" >"$hba"
    server_does "$1" -c 'SELECT pg_reload_conf()'
}

# server_does PORT ARGUMENT...: psql's.
server_does() { "$bin/psql" -Xqo /dev/null -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$1" -d suites "${@:2}"; }

# venv PACKAGE...: a Python environment with these and the test runner.
venv() {
    python3 -m venv "$kept/venv" && "$kept/venv/bin/pip" install -q --disable-pip-version-check pytest==9.2.0 pytest-timeout==2.4.0 "$@"
}

# in_venv ARGUMENT...: the tests in $kept/tree, which holds no sources of the driver: the one installed is tested. psycopg's
# tests want pytest's cache, and nothing of a run before that was ended.
in_venv() { (cd "$kept/tree" && PYTHONPATH=$suites "$kept/venv/bin/python" -m pytest -q -o "cache_dir=$kept/cache" --cache-clear -p outcomes --timeout=60 "$@"); }

# pypi_source PACKAGE==VERSION [PATH...]: the tests of a source distribution in $kept/tree, in the folder `tests` if it isn't said where.
pypi_source() {
    local folder=${1/==/-} paths=("${@:2}")
    [ $# -gt 1 ] || paths=(tests)
    # pip asks the sources what they are, which takes their build tools: those as they come, not built here as well.
    "$kept/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary "${1%%==*}" -d "$kept" "$1" || return 1
    mkdir "$kept/tree" && tar -xf "$kept/$folder.tar.gz" -C "$kept/tree" --strip-components=1 "${paths[@]/#/$folder/}"
}

# rust_outcomes: of what cargo says.
rust_outcomes() {
    sed -nE -e 's/^test (.*) \.\.\. ok$/passed \1/p' -e 's/^test (.*) \.\.\. ignored.*$/skipped \1/p' -e 's/^test (.*) \.\.\. FAILED$/failed \1/p'
}

# in_go ARGUMENT...: Go's toolchain, which is a package of PyPI, in $kept/src. What is built is kept with the suite; modules come as
# `go env GOPROXY` says.
in_go() {
    (cd "$kept/src" && GOTOOLCHAIN=local GOCACHE=$kept/cache GOMODCACHE=$kept/modules GOFLAGS=-modcacherw "$kept/venv/bin/go" "$@")
}

# go_only: sets `only`, the arguments with which `go test` runs the tests wanted. A test inside another is run with it.
go_only() {
    [ -z "${OUTCOMES_ONLY:-}" ] || only=(-run "^($(sed -E 's/^[^:]*::([^/]*).*/\1/' "$OUTCOMES_ONLY" | sort -u | paste -sd '|'))\$")
}

# debian_source PACKAGE: the source package's upstream part in $kept/src, of the newest version of the release that can be had.
debian_source() {
    local apt=$kept/apt version
    mkdir -p "$apt"/{parts,lists/partial,cache}
    # apt with source packages switched on, without touching the machine's own lists.
    cp /etc/apt/sources.list "$apt/" 2>/dev/null || : >"$apt/sources.list"
    cp /etc/apt/sources.list.d/* "$apt/parts/" 2>/dev/null || true
    sed -i -e 's/^deb /deb-src /' -e 's/^Types:.*/Types: deb-src/' "$apt/sources.list" "$apt"/parts/*
    local options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=$apt/parts"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
    apt-get "${options[@]}" update || true
    for version in $(apt-cache "${options[@]}" showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -Vru); do
        (cd "$kept" && apt-get "${options[@]}" source --download-only --tar-only --only-source "$1=$version") && break
    done
    mkdir "$kept/src" && tar -xf "$(ls "$kept"/*.orig.tar.*z* | grep -v '[.]asc$' | tail -n 1)" -C "$kept/src" --strip-components=1
}
