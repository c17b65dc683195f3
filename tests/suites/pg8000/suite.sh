# pg8000, a driver all in Python: the release on PyPI has the tests.
# shellcheck shell=bash

pg8000_sources() { venv pg8000==1.31.6 pytz==2025.2 pytest-mock==3.17.0 pytest-benchmark==5.3.1 && pypi_source pg8000==1.31.6 test README.md; }

# Left out: what wants a server for each way to log in.
pg8000_start() { in_venv --benchmark-disable --ignore-glob='*/auth/*' test; }

pg8000_server() { server_does "$1" -d postgres -c 'CREATE EXTENSION hstore'; }

pg8000_login() { echo query; }
