import assert from "node:assert/strict";
import { test } from "node:test";
import { PROBE_FIRST_MS, PROBE_MAX_MS, TransportChooser, YOUNG_MS } from "../../kefu_server/web/client/chooser.js";
import { Memory } from "../../kefu_server/web/client/transports.js";
import { FakeStorage } from "./fakes.js";

const NAMES = ["websocket", "longpoll"];

test("the first of the list is preferred", () => {
  const chooser = new TransportChooser(NAMES);
  assert.equal(chooser.current, "websocket");
  assert.ok(chooser.isBest);
  assert.equal(chooser.nextProbe, null);
});

test("there must be one to choose", () => {
  assert.throws(() => new TransportChooser([]), /at least one/);
});

test("what worked last time is tried first and probed away from", () => {
  const chooser = new TransportChooser(NAMES, "longpoll");
  assert.equal(chooser.current, "longpoll");
  chooser.welcomed(0);
  assert.equal(chooser.nextProbe, PROBE_FIRST_MS);
  assert.equal(new TransportChooser(NAMES, "pigeon").current, "websocket");
});

test("one that cannot be opened is followed by the next at once", () => {
  const chooser = new TransportChooser(NAMES);
  assert.ok(chooser.ended(0));
  assert.equal(chooser.current, "longpoll");
});

test("after a round without success there is a pause", () => {
  const chooser = new TransportChooser(NAMES);
  const atOnce = [0, 1, 2, 3, 4, 5].map((now) => chooser.ended(now));
  assert.deepEqual(atOnce, [true, false, true, false, true, false]);
});

test("one that falls silent is followed by the next", () => {
  const chooser = new TransportChooser(NAMES);
  chooser.welcomed(0);
  assert.ok(chooser.ended(100_000, true));
  assert.equal(chooser.current, "longpoll");
});

test("one that dies young twice is followed by the next", () => {
  const chooser = new TransportChooser(NAMES);
  chooser.welcomed(0);
  assert.ok(!chooser.ended(1_000));
  assert.equal(chooser.current, "websocket");
  chooser.welcomed(2_000);
  assert.ok(chooser.ended(3_000));
  assert.equal(chooser.current, "longpoll");
});

test("one that lived long is kept and its young deaths are forgiven", () => {
  const chooser = new TransportChooser(NAMES);
  for (const age of [1_000, YOUNG_MS, 1_000, YOUNG_MS]) {
    chooser.welcomed(0);
    assert.ok(!chooser.ended(age));
  }
  assert.equal(chooser.current, "websocket");
});

test("probes are rarer each time and one that succeeds moves back", () => {
  const chooser = new TransportChooser(NAMES);
  chooser.ended(0);
  chooser.welcomed(0);
  const gaps = [];
  let now = 0;
  for (let i = 0; i < 8; i += 1) {
    const due = chooser.nextProbe;
    gaps.push(due - now);
    now = due;
    assert.ok(!chooser.probed(now, false));
  }
  assert.deepEqual(gaps.slice(0, 4), [60_000, 120_000, 240_000, 480_000]);
  assert.equal(Math.max(...gaps), PROBE_MAX_MS);
  assert.ok(chooser.probed(now, true));
  assert.equal(chooser.current, "websocket");
  assert.equal(chooser.nextProbe, null);
});

test("a fallback that comes back goes on counting to its probe", () => {
  const chooser = new TransportChooser(NAMES);
  chooser.ended(0);
  chooser.welcomed(0);
  chooser.ended(30_000);
  chooser.welcomed(31_000);
  assert.equal(chooser.nextProbe, PROBE_FIRST_MS);
});

test("with one transport every end is followed by a pause", () => {
  const chooser = new TransportChooser(["longpoll"]);
  for (let now = 0; now < 20; now += 1) {
    if (now % 3) chooser.welcomed(now * 1000);
    assert.ok(!chooser.ended(now * 1000 + 500, now % 2 === 0));
    assert.equal(chooser.current, "longpoll");
  }
});

test("what worked is remembered for a day, of each server", () => {
  const storage = new FakeStorage();
  const memory = new Memory("https://a", () => storage);
  memory.keep("longpoll", 1_000);
  assert.equal(memory.recall(2_000), "longpoll");
  assert.equal(memory.recall(86_401_001), "");
  assert.equal(memory.recall(0), "", "a clock that was set back must not make it last");
  assert.equal(new Memory("https://b", () => storage).recall(2_000), "");
});

test("storage that is forbidden or spoilt only costs the memory", () => {
  const forbidden = new Memory("https://a", () => {
    throw new Error("SecurityError");
  });
  forbidden.keep("longpoll", 1);
  assert.equal(forbidden.recall(2), "");
  const storage = new FakeStorage();
  for (const text of ["", "{", "null", "7", '{"until":5}', '{"name":{},"until":"x"}']) {
    storage.setItem("kefu.transport.https://a", text);
    assert.equal(typeof new Memory("https://a", () => storage).recall(2), "string");
  }
});
