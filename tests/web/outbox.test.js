import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "../../kefu_server/web/client/lanes.js";
import { Outbox } from "../../kefu_server/web/client/outbox.js";
import { TabStorage } from "../../kefu_server/web/client/tabs.js";
import { FakeLocks, FakeStorage } from "./fakes.js";

const entry = (key) => ({ key, conversation: 7, kind: "text", body: key, at: 1 });
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function open(storage, locks, tab) {
  const kept = new TabStorage("scope", { storage, locks, tab });
  const outbox = new Outbox(kept);
  await kept.open((entries) => outbox.adopt(entries));
  return outbox;
}

test("what a closed page left is taken over, in order", async () => {
  const storage = new FakeStorage();
  const locks = new FakeLocks();
  const first = locks.page();
  const old = await open(storage, first, "1");
  old.add(entry("a"));
  old.add(entry("b"));
  first.close();
  const outbox = await open(storage, locks.page(), "2");
  assert.deepEqual(outbox.pending().map((e) => e.key), ["a", "b"]);
  assert.equal(storage.length, 1);
});

test("the outbox of a living page is left alone until it closes", async () => {
  const storage = new FakeStorage();
  const locks = new FakeLocks();
  const first = locks.page();
  const old = await open(storage, first, "1");
  old.add(entry("a"));
  const second = await open(storage, locks.page(), "2");
  const third = await open(storage, locks.page(), "3");
  assert.equal(second.pending().length + third.pending().length, 0);
  first.close();
  await settled();
  assert.equal(second.pending().length + third.pending().length, 1);
});

test("without locks a new page finds what was left", async () => {
  const storage = new FakeStorage();
  const old = await open(storage, undefined, "1");
  old.add(entry("a"));
  const outbox = await open(storage, undefined, "2");
  assert.deepEqual(outbox.pending().map((e) => e.key), ["a"]);
});

test("without storage everything works but a reload", async () => {
  const outbox = await open(undefined, undefined, "1");
  outbox.add(entry("a"));
  assert.equal(outbox.pending().length, 1);
});

test("storage that refuses to be written loses nothing in the page", async () => {
  const storage = new FakeStorage();
  storage.setItem = () => {
    throw new Error("full");
  };
  const outbox = await open(storage, undefined, "1");
  outbox.add(entry("a"));
  assert.equal(outbox.pending().length, 1);
});

test("a stored message leaves the storage too", async () => {
  const storage = new FakeStorage();
  const outbox = await open(storage, new FakeLocks().page(), "1");
  outbox.add(entry("a"));
  assert.equal(storage.length, 1);
  outbox.stored("a");
  assert.equal(storage.length, 0);
});

test("damaged storage is skipped", async () => {
  const storage = new FakeStorage();
  storage.setItem("kefu.outbox.scope.x", "{not json");
  storage.setItem("kefu.outbox.scope.y", '[null, 3, {"key": "a", "body": "b"}]');
  const outbox = await open(storage, undefined, "1");
  assert.deepEqual(outbox.pending().map((e) => e.key), ["a"]);
});

test("locks that refuse are as no locks", async () => {
  const storage = new FakeStorage();
  const old = await open(storage, undefined, "1");
  old.add(entry("a"));
  const refusing = {
    request: async () => {
      throw new Error("sandboxed");
    },
    query: async () => {
      throw new Error("sandboxed");
    },
  };
  const outbox = await open(storage, refusing, "2");
  assert.deepEqual(outbox.pending().map((e) => e.key), ["a"]);
});

test("what is written after a file waits for it, what was written before does not", () => {
  const outbox = new Outbox();
  const lanes = new Lanes(outbox);
  const taken = () => lanes.take(0, 9).map(({ key, n }) => `${key}${n}`);
  outbox.add({ ...entry("before"), at: 5 });
  lanes.heldFrom = (conversation) => (conversation === 7 ? 5 : Infinity);
  outbox.add({ ...entry("after"), at: 6 });
  outbox.add({ ...entry("elsewhere"), at: 6, conversation: 8 });
  assert.deepEqual(taken(), ["before1", "elsewhere1"]);
  lanes.heldFrom = () => Infinity;
  assert.deepEqual(taken(), ["after2"]);
  // What has its number goes again, whatever was chosen since.
  lanes.heldFrom = () => 0;
  lanes.broken({ t: "error", key: "after", code: "busy" }, 0);
  assert.deepEqual(lanes.take(1e9, 9).map(({ key, n }) => `${key}${n}`), ["after2"]);
});
