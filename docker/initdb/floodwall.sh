#!/bin/sh
# The role that Floodwall reads row estimates with: it may log in, and sees what every role sees.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$FLOODWALL_MONITOR_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE floodwall LOGIN CONNECTION LIMIT 10 PASSWORD :'password';
SQL
