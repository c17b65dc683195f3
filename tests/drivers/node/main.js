// node-postgres: pool, prepared statements, transactions, COPY streams, cursors, notifications, cancel.
"use strict";

const assert = require("node:assert");
const { once } = require("node:events");
const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { Client, Pool } = require("pg");
const copy = require("pg-copy-streams");
const Cursor = require("pg-cursor");

const guarded = process.env.FLOODWALL_GUARDED === "1";
const step = (name) => console.log("step", name);

async function basics(pool) {
  step("tables and parameters");
  await pool.query("CREATE TABLE items (id int PRIMARY KEY, name text)");
  const values = Array.from({ length: 1000 }, (_, n) => `(${n}, 'item ${n}')`);
  await pool.query(`INSERT INTO items VALUES ${values.join(",")}`);
  const one = await pool.query("SELECT name FROM items WHERE id = $1", [5]);
  assert.strictEqual(one.rows[0].name, "item 5");

  step("many at once, prepared");
  const asked = Array.from({ length: 200 }, (_, n) =>
    pool.query({ name: "by-id", text: "SELECT id FROM items WHERE id = $1", values: [n] }));
  const answers = await Promise.all(asked);
  answers.forEach((answer, n) => assert.strictEqual(answer.rows[0].id, n));
}

async function transaction(pool) {
  step("transaction");
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("UPDATE items SET name = 'lost' WHERE id = 1");
  await client.query("ROLLBACK");
  const row = await client.query("SELECT name FROM items WHERE id = 1");
  assert.strictEqual(row.rows[0].name, "item 1");
  client.release();
}

async function streams(pool) {
  step("copy");
  const client = await pool.connect();
  const lines = Readable.from((function* () {
    for (let n = 10000; n < 60000; n++) yield `${n}\tcopied ${n}\n`;
  })());
  await pipeline(lines, client.query(copy.from("COPY items FROM STDIN")));
  let bytes = 0;
  for await (const chunk of client.query(copy.to("COPY items TO STDOUT"))) bytes += chunk.length;
  assert(bytes > 900000, `${bytes} bytes`);

  step("cursor");
  const cursor = client.query(new Cursor("SELECT id FROM items WHERE id >= $1 ORDER BY id", [10000]));
  let read = 0;
  for (let rows = await cursor.read(777); rows.length > 0; rows = await cursor.read(777)) read += rows.length;
  assert.strictEqual(read, 50000);
  await cursor.close();
  client.release();
}

async function notify(pool) {
  step("notify");
  const listener = new Client();
  await listener.connect();
  await listener.query("LISTEN news");
  const heard = once(listener, "notification");
  await pool.query("NOTIFY news, 'hello'");
  assert.strictEqual((await heard)[0].payload, "hello");
  await listener.end();
}

// A cancel that comes before its statement hits nothing, as the protocol has it.
async function runs(pool, sql) {
  const seen = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'active' AND datname = current_database()";
  while ((await pool.query(seen, [sql])).rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function cancel(pool) {
  step("cancel");
  const busy = new Client();
  await busy.connect();
  const query = new (require("pg").Query)("SELECT pg_sleep(60)");
  const failed = new Promise((resolve) => query.on("error", resolve));
  busy.query(query);
  await runs(pool, "SELECT pg_sleep(60)");
  // The library's cancel takes a second, unconnected client.
  new Client().cancel(busy, query);
  assert.strictEqual((await failed).code, "57014");
  assert.strictEqual((await busy.query("SELECT 1 AS one")).rows[0].one, 1);
  await busy.end();
}

async function refused(pool) {
  step("refused");
  await assert.rejects(pool.query("DELETE FROM items"), { code: "54000" });
  assert.strictEqual((await pool.query("SELECT count(*)::int AS n FROM items")).rows[0].n, 51000);
}

async function main() {
  const pool = new Pool({ max: 5 });
  await basics(pool);
  await transaction(pool);
  await streams(pool);
  await notify(pool);
  await cancel(pool);
  if (guarded) await refused(pool);
  await pool.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
