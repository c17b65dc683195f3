"""asyncpg: a pool, prepared statements, cursors, COPY, notifications, cancel by timeout."""

import asyncio
import io
import sys
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).parents[1]))
from steps import GUARDED, REFUSED, REFUSED_STATE, check, step


async def basics(conn):
    step("tables and types")
    await conn.execute("CREATE TABLE items (id int PRIMARY KEY, name text, tags text[])")
    rows = [(n, f"item {n}", ["a", "b"]) for n in range(2000)]
    await conn.executemany("INSERT INTO items VALUES ($1, $2, $3)", rows)
    check(await conn.fetchval("SELECT count(*) FROM items"), 2000)
    check(dict(await conn.fetchrow("SELECT * FROM items WHERE id = $1", 3)), {"id": 3, "name": "item 3", "tags": ["a", "b"]})

    step("introspected types")
    await conn.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    check(await conn.fetchval("SELECT $1::mood", "glad"), "glad")

    step("prepared statement and cursor")
    statement = await conn.prepare("SELECT id FROM items WHERE id < $1 ORDER BY id")
    async with conn.transaction():
        check([row["id"] async for row in statement.cursor(100, prefetch=7)], list(range(100)))


async def copy(conn):
    step("copy")
    records = [(n, f"copied {n}", None) for n in range(10_000, 60_000)]
    check(await conn.copy_records_to_table("items", records=records), "COPY 50000")
    out = io.BytesIO()
    await conn.copy_from_query("SELECT id FROM items WHERE id >= $1", 10_000, output=out, format="csv")
    check(len(out.getvalue().splitlines()), 50_000)


async def cancel(conn):
    step("cancel by timeout")
    try:
        await conn.fetch("SELECT pg_sleep(30)", timeout=0.2)
        raise AssertionError("no timeout")
    except asyncio.TimeoutError:
        pass
    check(await conn.fetchval("SELECT 1"), 1)


async def notify(pool, conn):
    step("notify")
    heard = asyncio.get_running_loop().create_future()
    await conn.add_listener("news", lambda *args: heard.set_result(args[3]))
    await pool.execute("SELECT pg_notify('news', 'hello')")
    check(await asyncio.wait_for(heard, 60), "hello")
    await conn.remove_listener("news", lambda *args: None)


async def refused(conn):
    step("refused")
    try:
        async with conn.transaction():
            await conn.execute("UPDATE items SET name = 'gone' WHERE id = 1")
            await conn.execute(REFUSED)
        raise AssertionError("not refused")
    except asyncpg.PostgresError as error:
        check(error.sqlstate, REFUSED_STATE)
    check(await conn.fetchval("SELECT name FROM items WHERE id = 1"), "item 1")


async def many(pool):
    step("pool under load")
    counts = await asyncio.gather(*(pool.fetchval("SELECT count(*) FROM items WHERE id < $1", n) for n in range(300)))
    check(counts, list(range(300)))


async def main():
    async with asyncpg.create_pool(min_size=4, max_size=8) as pool:
        async with pool.acquire() as conn:
            await basics(conn)
            await copy(conn)
            await cancel(conn)
            await notify(pool, conn)
            if GUARDED:
                await refused(conn)
        await many(pool)


asyncio.run(main())
