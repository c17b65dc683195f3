# SQLAlchemy: the release on PyPI has the tests. They bring their own copy of the library, which is that of the release.
# shellcheck shell=bash

sqlalchemy_sources() {
    venv sqlalchemy==2.1.9 greenlet==3.5.6 "psycopg[binary]==3.3.9" asyncpg==0.32.0 && pypi_source sqlalchemy==2.1.9 test lib setup.cfg pyproject.toml
}

# Those of its dialect and of what drives it, by a driver that waits and by one that does not.
sqlalchemy_start() {
    local driver uris=()
    for driver in psycopg asyncpg; do uris+=(--dburi "postgresql+$driver://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE"); done
    in_venv --backend-only --maxfail=100000 "${uris[@]}" test/dialect/postgresql test/dialect/test_suite.py test/engine
}

sqlalchemy_server() {
    server_does "$1" <<'SQL'
CREATE SCHEMA test_schema;
CREATE SCHEMA test_schema_2;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
ALTER DATABASE suites SET default_text_search_config = 'pg_catalog.english';
SQL
}
