# Django: the release on PyPI has the tests.
# shellcheck shell=bash

django_sources() { venv django==5.2.19 "psycopg[binary]==3.3.9" && pypi_source django==5.2.19; }

# Those of the layers next to the database. Its runner makes the databases of the tests, and drops them, by the way that is tested.
django_parts=(aggregation backends basic bulk_create db_utils defer delete fixtures get_or_create indexes introspection lookup
    postgres_tests prefetch_related queries raw_query schema select_for_update transaction_hooks transactions update)

django_start() {
    local parts=("${django_parts[@]}")
    [ -z "${OUTCOMES_ONLY:-}" ] || mapfile -t parts <"$OUTCOMES_ONLY"
    (cd "$kept/tree/tests" && PYTHONPATH=$suites/django timeout 1200 "$kept/venv/bin/python" runtests.py --settings=suite_settings --parallel=1 --noinput "${parts[@]}")
}
