# psycopg 2: the release on PyPI has the tests.
# shellcheck shell=bash

psycopg2_sources() { venv psycopg2-binary==2.9.11 && pypi_source psycopg2==2.9.11; }

psycopg2_start() { PSYCOPG2_TESTDB=$PGDATABASE in_venv tests; }
