import assert from "node:assert/strict";
import { test } from "node:test";
import { keep, lineThrough, short } from "../../kefu_server/web/console/operations/figures.js";

test("a figure is as short as it may be", () => {
  assert.deepEqual([0, 3, 0.25, 2.5, 12.34, 123.4, 1234].map(short), ["0", "3", "0.25", "2.5", "12.3", "123", "1234"]);
});

test("a line ends at the right and reaches the top where it is highest", () => {
  assert.equal(lineThrough([1], 4, 30, 10), "");
  assert.equal(lineThrough([0, 2, 1], 4, 30, 10), "10,10 20,0 30,5");
  assert.equal(lineThrough([9, 9, 0, 0, 0, 0], 4, 30, 10), "0,10 10,10 20,10 30,10", "what is old has left");
});

test("a server that has begun anew takes its own place, and others keep theirs", () => {
  const said = (id, name, started_at) => ({ process: { id, name, started_at } });
  const servers = new Map();
  keep(servers, said("a", "one", 1), 10);
  keep(servers, said("b", "two", 1), 11);
  keep(servers, said("c", "one", 5), 12);
  assert.deepEqual([...servers.keys()], ["b", "c"]);
  assert.equal(servers.get("c").heardAt, 12);
});
