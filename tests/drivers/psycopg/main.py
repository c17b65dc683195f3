"""psycopg 3: sync, async, pipeline mode, COPY, server-side cursors, cancel."""

import asyncio
import sys
import threading
import time
from pathlib import Path

import psycopg
from psycopg import errors

sys.path.insert(0, str(Path(__file__).parents[1]))
from steps import GUARDED, REFUSED, REFUSED_STATE, check, step


def basics(conn):
    step("tables and parameters")
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, name text, data jsonb)")
    with conn.cursor() as cur:
        cur.executemany("INSERT INTO items VALUES (%s, %s, %s)", [(n, f"item {n}", "{}") for n in range(500)])
    conn.commit()
    check(conn.execute("SELECT count(*) FROM items").fetchone(), (500,))
    check(conn.execute("SELECT name FROM items WHERE id = %s", (7,), binary=True).fetchone(), ("item 7",))

    step("prepared statements")
    for n in range(20):
        check(conn.execute("SELECT id FROM items WHERE id = %s", (n,), prepare=True).fetchone(), (n,))

    step("nested transactions")
    with conn.transaction():
        conn.execute("UPDATE items SET name = 'kept' WHERE id = 1")
        try:
            with conn.transaction():
                conn.execute("UPDATE items SET name = 'lost' WHERE id = 1")
                raise psycopg.Rollback
        except psycopg.Rollback:
            pass
    check(conn.execute("SELECT name FROM items WHERE id = 1").fetchone(), ("kept",))

    step("server-side cursor")
    with conn.cursor(name="all_items") as cur:
        cur.itersize = 50
        check(sum(1 for _ in cur.execute("SELECT * FROM items ORDER BY id")), 500)
    conn.commit()


def pipeline(conn):
    step("pipeline")
    with conn.pipeline():
        cursors = [conn.execute("SELECT %s::int * 2", (n,)) for n in range(200)]
    check([cur.fetchone()[0] for cur in cursors], [2 * n for n in range(200)])

    step("error in a pipeline")
    try:
        with conn.pipeline() as pipe:
            conn.execute("INSERT INTO items (id) VALUES (9001)")
            conn.execute("SELECT 1/0")
            pipe.sync()
        raise AssertionError("no error")
    except errors.DivisionByZero:
        conn.rollback()
    check(conn.execute("SELECT count(*) FROM items WHERE id = 9001").fetchone(), (0,))


def copy(conn):
    step("copy")
    with conn.cursor() as cur:
        with cur.copy("COPY items (id, name) FROM STDIN") as out:
            for n in range(1000, 61_000):
                out.write_row((n, f"copied {n}"))
        with cur.copy("COPY (SELECT id FROM items WHERE id >= 1000) TO STDOUT (FORMAT binary)") as into:
            into.set_types(["int4"])
            check(sum(row[0] for row in into.rows()), sum(range(1000, 61_000)))
    conn.commit()


SLEEP = "SELECT pg_sleep(60)"


def asleep():
    """Waits until the statement is at work: a cancel that comes before it hits nothing, as the protocol has it."""
    seen = "SELECT 1 FROM pg_stat_activity WHERE query = %s AND state = 'active' AND datname = current_database()"
    with psycopg.connect("", autocommit=True) as conn:
        while conn.execute(seen, (SLEEP,)).fetchone() is None:
            time.sleep(0.02)


def cancel(conn):
    step("cancel")

    def cancels():
        asleep()
        conn.cancel_safe()

    canceller = threading.Thread(target=cancels)
    canceller.start()
    try:
        conn.execute(SLEEP)
        raise AssertionError("not cancelled")
    except errors.QueryCanceled:
        pass
    canceller.join()
    conn.rollback()


def notify(conn):
    step("notify")
    with psycopg.connect("", autocommit=True) as listener:
        listener.execute("LISTEN news")
        conn.execute("NOTIFY news, 'hello'")
        conn.commit()
        check([n.payload for n in listener.notifies(timeout=60, stop_after=1)], ["hello"])


def refused(conn):
    step("refused")
    try:
        conn.execute("UPDATE items SET name = 'gone' WHERE id = 1")
        conn.execute(REFUSED)
        raise AssertionError("not refused")
    except psycopg.Error as error:
        check(error.sqlstate, REFUSED_STATE)
        assert error.diag.message_primary.startswith("FLOODWALL[rule=unfiltered_write]"), error
    check(conn.info.transaction_status, psycopg.pq.TransactionStatus.INERROR)
    conn.rollback()
    check(conn.execute("SELECT name FROM items WHERE id = 1").fetchone(), ("kept",))


async def asynchronous():
    step("async")
    async with await psycopg.AsyncConnection.connect("") as conn:
        async with conn.pipeline():
            cursors = [await conn.execute("SELECT %s::int", (n,)) for n in range(100)]
            check([(await cur.fetchone())[0] for cur in cursors], list(range(100)))
        step("async cancel")
        task = asyncio.create_task(conn.execute(SLEEP))
        await asyncio.to_thread(asleep)
        await conn.cancel_safe()
        try:
            await task
            raise AssertionError("not cancelled")
        except errors.QueryCanceled:
            pass


with psycopg.connect("") as connection:
    basics(connection)
    pipeline(connection)
    copy(connection)
    cancel(connection)
    notify(connection)
    if GUARDED:
        refused(connection)
asyncio.run(asynchronous())
