# Sourced by scripts that start a throwaway PostgreSQL. They set `scratch`, an empty folder that they remove again.
# shellcheck shell=bash

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST: FIRST itself or the next free port after it.
free_port() {
    local port
    for port in $(seq "$1" $(($1 + 200))); do
        if is_free "$port"; then echo "$port"; return; fi
    done
    echo "no free port from $1 on" >&2
    return 1
}

# The folder of programs that PG_BIN names, or else that of the newest PostgreSQL installed.
server_bin() {
    if [ -n "${PG_BIN:-}" ]; then echo "$PG_BIN"; return; fi
    for bin in /usr/lib/postgresql/*/bin; do echo "$bin"; done | sort -V | tail -n 1
}

# as_server COMMAND...: PostgreSQL refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
    else
        "$@"
    fi
}

# wait_for SECONDS WHAT CHECK...
wait_for() {
    local tries=$(($1 * 10)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then echo "$what did not come up" >&2; return 1; fi
        sleep 0.1
    done
}

# start_server NAME PORT SETTING...: a server in $scratch/NAME whose superuser `postgres` needs no password on
# 127.0.0.1. Sets `server_pid`.
start_server() {
    local data=$scratch/$1 log=$scratch/$1.log port=$2 bin
    shift 2
    bin=$(server_bin)
    chmod 711 "$scratch"
    mkdir -m 700 "$data"
    [ "$(id -u)" != 0 ] || chown postgres: "$data"
    (cd / && as_server "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$log")
    local settings=(-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off)
    local setting
    for setting in "$@"; do settings+=(-c "$setting"); done
    # In a session of its own: ^C at the terminal is for the script, which stops things in order.
    (cd / && as_server setsid "$bin/postgres" -D "$data" -p "$port" "${settings[@]}" >>"$log" 2>&1) &
    wait_for 120 PostgreSQL "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"
    server_pid=$(head -n 1 "$data/postmaster.pid")
}

# stop_server PID: a fast shutdown, waited for.
stop_server() {
    kill -INT "$1" 2>/dev/null || return 0
    local tries=100
    while kill -0 "$1" 2>/dev/null && [ $tries -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}
