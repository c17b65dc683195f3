# asyncpg: the release on PyPI has the tests.
# shellcheck shell=bash

asyncpg_sources() { venv asyncpg==0.32.0 distro==1.9.0 && pypi_source asyncpg==0.32.0; }

# A cluster is running, as PGHOST tells it. Left out: the style of asyncpg's own sources, and what starts clusters itself.
asyncpg_start() { in_venv --ignore=tests/test__sourcecode.py tests; }
