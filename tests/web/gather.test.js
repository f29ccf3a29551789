import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "../../kefu_server/web/console/gather.js";

/** A list as the server gives it: the newest first, at most 100 at once. */
const listOf = (count) => async ({ limit, before = count + 1 }) => {
  assert.ok(limit >= 1 && limit <= 100);
  const first = before - 1;
  return Array.from({ length: Math.max(0, Math.min(limit, first)) }, (_, i) => ({ id: first - i }));
};
const ids = ({ rows }) => rows.map((row) => row.id);

test("a look at the top brings as many rows as are shown, however many that are", async () => {
  const found = await gather(listOf(250), [], 120);
  assert.deepEqual(ids(found), Array.from({ length: 120 }, (_, i) => 250 - i));
  assert.equal(found.hasMore, true);
});

test("older rows follow those that are there, without a gap and without repeats", async () => {
  const first = await gather(listOf(50), [], 30);
  const all = await gather(listOf(50), first.rows, 60);
  assert.deepEqual(ids(all), Array.from({ length: 50 }, (_, i) => 50 - i));
  assert.equal(all.hasMore, false);
});

test("a list that ends where a page ends is asked once more and found empty", async () => {
  const found = await gather(listOf(30), [], 30);
  assert.equal(found.hasMore, true);
  assert.equal((await gather(listOf(30), found.rows, 60)).hasMore, false);
});
