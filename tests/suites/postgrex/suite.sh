# postgrex for Elixir, and what it is made of, from their repositories, of which the folder $POSTGREX_SOURCES may hold clones.
# shellcheck shell=bash

postgrex_sources() {
    postgrex_part beam-telemetry/telemetry v1.3.0 &&
        postgrex_part ericmj/decimal v2.3.0 &&
        postgrex_part michalmuskala/jason v1.4.4 decimal &&
        postgrex_part elixir-ecto/db_connection v2.7.0 telemetry &&
        postgrex_part elixir-ecto/postgrex v0.21.1 db_connection decimal jason || return 1
    # The server's port stands in the tests.
    free_port $((25000 + RANDOM % 900)) >"$kept/port"
    sed -i "s/\b5432\b/$(<"$kept/port")/g" "$kept"/parts/postgrex/src/test/*.exs
    # And a locale that not everybody has.
    sed -i 's/en_US.UTF-8/C.UTF-8/g' "$kept/parts/postgrex/src/test/test_helper.exs"
    certificate && in_mix compile
}

# postgrex_part PROJECT TAG PART...: in $kept/parts; it finds the parts that it needs beside itself rather than in a registry.
postgrex_part() {
    local name=${1#*/} part parts=
    for part in "${@:3}"; do parts+="{:$part, path: \"../../$part/src\"}, "; done
    mkdir -p "$kept/parts/$name" && kept=$kept/parts/$name git_source "https://github.com/$1" "$2" "${POSTGREX_SOURCES:+$POSTGREX_SOURCES/$name}" || return 1
    sed -i -E "/^ *defp deps(\(\))? do/,/^  end/ c\\  defp deps, do: [${parts%, }]" "$kept/parts/$name/src/mix.exs"
}

# in_mix ARGUMENT...
in_mix() { (cd "$kept/parts/postgrex/src" && LC_ALL=C.UTF-8 MIX_ENV=test elixir -r "$suites/postgrex/outcomes.exs" -S mix "$@"); }

postgrex_start() { in_mix test --seed 0 --max-cases 1 --formatter Outcomes; }

# Users by the way in which the server asks for their passwords; the suite makes them.
postgrex_server() {
    server_tls "$1"
    printf 'host all postgrex_%s_pw 127.0.0.1/32 %s\n' cleartext password md5 md5 scram scram-sha-256 | server_asks "$1"
}

postgrex_users() { printf 'postgrex_%s_pw postgrex_%s_pw\n' cleartext cleartext md5 md5 scram scram; }

postgrex_access() {
    printf '[[access]]\nuser = "postgrex_%s_pw"\nmethod = "%s"\n' cleartext plain md5 md5 scram scram
    printf '[[access]]\naddress = "127.0.0.0/8"\nmethod = "trust"\n'
}

postgrex_listener() { listener_tls; }
