import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../kefu_server/web/client/outbox.js";
import { Session } from "../../kefu_server/web/client/session.js";
import { FakeServer } from "./fakes.js";

/** One page against the fake server, with a wire that can lose what is on it. */
class Page {
  constructor() {
    this.now = 1000;
    this.server = new FakeServer();
    this.outbox = new Outbox();
    this.session = new Session({ client: "test", outbox: this.outbox });
    this.shown = [];
    this.events = [];
    this.written = 0;
  }

  connect() {
    this.server.connect();
    this.session.opened("token", this.now);
    this.run();
  }

  /** Exchange frames until both sides are quiet. */
  run({ losesAnswers = false } = {}) {
    for (let frames; (frames = this.session.outgoing()).length; ) {
      const answers = this.server.take(frames);
      if (!losesAnswers) this.hear(...answers);
    }
  }

  hear(...frames) {
    for (const frame of frames) this.session.receive(structuredClone(frame), this.now);
    for (const event of this.session.happened()) {
      this.events.push(event);
      if (event.type === "message") this.shown.push(event.frame.seq);
    }
  }

  lose() {
    this.session.lost();
  }

  write(...bodies) {
    for (const body of bodies) {
      const key = `k${(this.written += 1)}`;
      this.outbox.add({ key, conversation: 7, kind: "text", body, at: this.now });
    }
    this.session.flush(this.now);
  }

  /** Let time pass, timer by timer. */
  wait(ms) {
    const until = this.now + ms;
    while (this.session.deadline() <= until) {
      this.now = Math.max(this.now, this.session.deadline());
      this.session.tick(this.now);
      this.run();
    }
    this.now = until;
  }

  bodies() {
    return this.server.log.map((message) => message.body);
  }
}

function following() {
  const page = new Page();
  page.connect();
  page.session.follow(7, 0);
  page.run();
  return page;
}

test("messages reach the log in the order written and leave the outbox", () => {
  const page = following();
  page.write("a", "b", "c");
  page.run();
  assert.deepEqual(page.bodies(), ["a", "b", "c"]);
  assert.deepEqual(page.shown, [1, 2, 3]);
  assert.equal(page.outbox.entries.size, 0);
});

test("what was stored but never acknowledged is in the log once after a reconnect", () => {
  const page = following();
  page.write("a", "b");
  page.run({ losesAnswers: true });
  page.lose();
  page.write("c");
  page.connect();
  assert.deepEqual(page.bodies(), ["a", "b", "c"]);
  assert.deepEqual(page.shown, [1, 2, 3]);
  assert.equal(page.outbox.entries.size, 0);
});

test("n begins at 1 on every connection", () => {
  const page = following();
  page.write("a");
  page.run();
  page.lose();
  page.write("b", "c");
  page.connect();
  const sends = page.server.received.filter((frame) => frame.t === "send");
  assert.deepEqual(sends.map((send) => send.n), [1, 2]);
});

test("a temporary failure takes the lane back to it and the order stays", () => {
  const page = following();
  page.server.refuse.set("k2", { code: "busy", retry: "same", after_s: 0.5 });
  page.write("a", "b", "c", "d");
  page.run();
  assert.deepEqual(page.bodies(), ["a"]);
  page.write("e");
  page.run();
  assert.deepEqual(page.bodies(), ["a"]);
  page.wait(2000);
  assert.deepEqual(page.bodies(), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(page.shown, [1, 2, 3, 4, 5]);
});

test("a message refused for good is marked and the later ones go on", () => {
  const page = following();
  page.server.refuse.set("k2", { code: "too_large", retry: "none" });
  page.write("a", "b", "c");
  page.run();
  assert.deepEqual(page.bodies(), ["a", "c"]);
  assert.equal(page.outbox.get("k2").failure, "too_large");
  assert.equal(page.outbox.pending().length, 0);
});

test("a retried failure is a new message at the end", () => {
  const page = following();
  page.server.refuse.set("k1", { code: "conflict", retry: "none" });
  page.write("a", "b");
  page.run();
  page.outbox.retry("k1", "k9", page.now);
  page.session.flush(page.now);
  page.run();
  assert.deepEqual(page.bodies(), ["b", "a"]);
});

test("a lane whose order cannot be mended asks for a new connection", () => {
  const page = following();
  page.write("a");
  page.session.outgoing();
  for (let i = 0; i < 9; i += 1) {
    page.hear({ t: "error", code: "out_of_order", text: "", retry: "same", key: "k1" });
    page.now += 10_000;
    page.session.tick(page.now);
    page.session.outgoing();
  }
  assert.ok(page.events.some((event) => event.type === "stuck"));
});

test("a follow that was refused for now is said again", () => {
  const page = new Page();
  page.connect();
  page.session.follow(9, 0);
  page.session.outgoing();
  const refusal = { t: "error", code: "unavailable", text: "", frame: "follow" };
  page.hear({ ...refusal, conversation: 9, retry: "same", after_s: 2 });
  page.session.tick((page.now += 1900));
  assert.deepEqual(page.session.outgoing(), []);
  page.session.tick((page.now += 200));
  const follow = { t: "follow", conversation: 9, after: 0 };
  assert.deepEqual(page.session.outgoing(), [follow]);
  page.session.tick((page.now += 10_000));
  assert.deepEqual(page.session.outgoing(), []);
  page.hear({ ...refusal, conversation: 9, code: "not_found", retry: "none" });
  page.session.tick((page.now += 10_000));
  assert.deepEqual(page.session.outgoing(), []);
});

test("nothing is shown over a hole: the rest is asked for", () => {
  const page = following();
  page.server.append("a1", "x");
  page.server.append("a1", "y");
  page.hear(page.server.log[1]);
  assert.deepEqual(page.shown, []);
  page.wait(10);
  assert.deepEqual(page.shown, [1, 2]);
});

test("a head whose messages do not come is followed up", () => {
  const page = following();
  page.server.append("a1", "x");
  page.hear({ t: "head", conversation: 7, last_seq: 1 });
  assert.deepEqual(page.shown, []);
  page.wait(3_100);
  assert.deepEqual(page.shown, [1]);
});

test("a message that comes twice is shown once", () => {
  const page = following();
  const message = page.server.append("a1", "x");
  page.hear(message, message);
  assert.deepEqual(page.shown, [1]);
});

test("a reconnect brings what was missed, from the cursor on", () => {
  const page = following();
  page.hear(page.server.append("a1", "x"));
  page.lose();
  page.server.append("a1", "y");
  page.server.append("a1", "z");
  page.connect();
  assert.deepEqual(page.shown, [1, 2, 3]);
  const hello = page.server.received.find((frame) => frame.t === "hello");
  assert.deepEqual(hello.cursors, { 7: 1 });
});

test("another history drops the cached logs and keeps the outbox", () => {
  const page = following();
  page.hear(page.server.append("a1", "x"));
  page.lose();
  page.write("mine");
  page.server.epoch = "e2";
  page.server.log.length = 0;
  page.connect();
  assert.ok(page.events.some((event) => event.type === "reset"));
  assert.equal(page.session.readers.all.size, 0);
  assert.deepEqual(page.bodies(), ["mine"]);
});

test("acknowledgements of a burst are folded into one", () => {
  const page = following();
  for (const body of ["x", "y", "z"]) page.hear(page.server.append("a1", body));
  page.wait(200);
  const acks = page.server.received.filter((frame) => frame.t === "ack");
  assert.deepEqual(acks, [{ t: "ack", conversation: 7, seq: 3 }]);
});

test("a read is never told beyond what has arrived", () => {
  const page = following();
  page.hear(page.server.append("a1", "x"));
  page.session.readers.shown(7, 5, page.now);
  page.wait(200);
  const reads = page.server.received.filter((frame) => frame.t === "read");
  assert.deepEqual(reads, [{ t: "read", conversation: 7, seq: 1 }]);
});

test("own silence is broken by a ping, the peer's is the end", () => {
  const page = following();
  page.server.take = (frames) => (page.server.received.push(...frames), []);
  page.now += 25_000;
  assert.equal(page.session.tick(page.now), true);
  page.run();
  assert.equal(page.server.received.at(-1).t, "ping");
  page.now += 25_001;
  assert.equal(page.session.tick(page.now), false);
});

test("a ping is answered", () => {
  const page = following();
  page.hear({ t: "ping" });
  assert.deepEqual(page.session.outgoing(), [{ t: "pong" }]);
});

test("messages without a conversation wait for one", () => {
  const page = following();
  page.outbox.add({ key: "early", conversation: null, kind: "text", body: "hi", at: 1 });
  page.session.flush(page.now);
  page.run();
  assert.deepEqual(page.bodies(), []);
  page.outbox.assign(7);
  page.session.flush(page.now);
  page.run();
  assert.deepEqual(page.bodies(), ["hi"]);
});

test("a hole in a list's versions asks for the list again", () => {
  const page = following();
  page.session.watch("conversations");
  page.session.outgoing();
  page.hear({ t: "snapshot", topic: "conversations", version: 4, rows: [{ id: 1 }] });
  page.hear({ t: "event", topic: "conversations", version: 5, put: { id: 2 } });
  assert.deepEqual([...page.session.lists.topics.get("conversations").rows.keys()], [1, 2]);
  page.hear({ t: "event", topic: "conversations", version: 7, drop: 1 });
  assert.deepEqual(page.session.outgoing(), [{ t: "watch", topic: "conversations" }]);
});

test("any pattern of lost connections and failures leaves each message once, in order", () => {
  let state = 12345;
  const chance = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let round = 0; round < 150; round += 1) {
    const page = following();
    const bodies = [];
    for (let step = 0; step < 12; step += 1) {
      const body = `m${step}`;
      bodies.push(body);
      if (chance() < 0.3) {
        const refusal = { code: "busy", retry: "same", after_s: chance() };
        page.server.refuse.set(`k${page.written + 1}`, refusal);
      }
      page.write(body);
      if (chance() < 0.5) page.run({ losesAnswers: chance() < 0.3 });
      if (chance() < 0.3) {
        page.lose();
        page.connect();
      }
    }
    page.lose();
    page.connect();
    page.wait(20_000);
    assert.deepEqual(page.bodies(), bodies);
    assert.equal(page.outbox.entries.size, 0);
    assert.deepEqual(page.shown, bodies.map((_, i) => i + 1));
  }
});
