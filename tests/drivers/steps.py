"""What the Python programs share: the tables of one run, steps by name, and the one refused statement."""

import os

GUARDED = os.environ.get("FLOODWALL_GUARDED") == "1"
REFUSED = "DELETE FROM items"
REFUSED_STATE = "54000"


def url(scheme="postgresql"):
    """The server as an address; libraries that read PG* themselves do not need it."""
    env = os.environ
    return f"{scheme}://{env['PGUSER']}:{env['PGPASSWORD']}@{env['PGHOST']}:{env['PGPORT']}/{env['PGDATABASE']}"


def step(name):
    print("step", name, flush=True)


def check(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def size(table, rows):
    """Says how large a table is when it is at its largest, for whoever records what the program sends."""
    print("size", table, rows, flush=True)
