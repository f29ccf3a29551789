import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { LongPoll } from "../../kefu_server/web/client/longpoll.js";

const HELLO = { t: "hello", v: 1, token: "secret" };
const WELCOME = { t: "welcome", session: "s", heartbeat_s: 25 };

/**
 * The server's end of long poll, as its description has it, behind a network that does
 * to each answer what the test says.
 */
class Poller {
  constructor() {
    this.session = "";
    this.batches = [];
    this.pending = [];
    this.rid = 0;
    this.taken = [];
    this.requests = [];
    this.held = null;
    this.uplinks = 0;
    this.uplinksMost = 0;
    /** What becomes of the next answers: "lose", "cut", a Response, or a promise. */
    this.faults = [];
    this.isGone = false;
    /** How often one request may fail in a row. */
    this.mercy = Infinity;
    this.failed = new Map();
  }

  fetch = async (url, options) => {
    const body = JSON.parse(options.body);
    this.requests.push({ ...body, headers: options.headers, keepalive: options.keepalive, signal: options.signal });
    const fault = this.fault(`${body.rid}/${body.poll}`);
    if (fault === "refuse") throw new TypeError("network");
    if (fault instanceof Response) return fault;
    const { signal } = options;
    const isUp = body.rid !== undefined;
    this.uplinks += isUp ? 1 : 0;
    this.uplinksMost = Math.max(this.uplinksMost, this.uplinks);
    try {
      const answer = await until(this.answer(body, options.headers["kefu-session"]), signal);
      if (fault instanceof Promise) await until(fault, signal);
      if (fault === "lose") throw new TypeError("reset");
      if (answer instanceof Response) return answer;
      const text = JSON.stringify(answer);
      return reply(fault === "cut" ? text.slice(0, -5) : text, 200, { "kefu-session": this.session });
    } finally {
      this.uplinks -= isUp ? 1 : 0;
    }
  };

  fault(request) {
    const fault = this.faults.shift();
    const count = (this.failed.get(request) ?? 0) + (fault ? 1 : 0);
    this.failed.set(request, count);
    return count > this.mercy ? undefined : fault;
  }

  async answer(body, session) {
    if (body.hello) {
      this.session = `session${this.requests.length}`;
      this.put(WELCOME);
      return this.all(0);
    }
    if (this.isGone || session !== this.session) return reply('{"error":"no_session"}', 410);
    if (body.rid) return this.up(body);
    this.held?.({ superseded: true });
    this.held = null;
    const now = this.all(body.ack);
    if (now.batches.length || !body.wait) return now;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(this.all(body.ack)), body.wait * 900);
      this.held = (answer) => (clearTimeout(timer), resolve(answer ?? this.all(body.ack)));
    });
  }

  up({ rid, ack, frames }) {
    if (rid > this.rid + 1) return reply('{"error":"out_of_order"}', 409);
    if (rid === this.rid + 1) {
      this.rid = rid;
      this.taken.push(...frames);
    }
    return this.all(ack);
  }

  all(ack) {
    if (this.pending.length) this.batches.push({ n: this.batches.length + 1, frames: this.pending.splice(0) });
    return { batches: this.batches.filter(({ n }) => n > ack) };
  }

  put(...frames) {
    this.pending.push(...frames);
    const held = this.held;
    this.held = null;
    held?.();
  }

  polls() {
    return this.requests.filter((request) => request.poll);
  }
}

/** A browser's page that can be hidden, shown and left. */
class Page {
  constructor(server) {
    this.server = server;
    this.hidden = false;
    this.heard = [];
    this.codes = [];
    this.signs = 0;
    this.wire = new LongPoll("/kefu/poll", {
      opened: () => this.wire.send([HELLO]),
      received: (frame) => this.heard.push(frame),
      alive: () => (this.signs += 1),
      closed: (code, afterMs) => this.codes.push([code, afterMs]),
    }, {
      fetch: server.fetch,
      isHidden: () => this.hidden,
      watch: (turned, left) => {
        this.turned = turned;
        this.leave = left;
        this.isWatched = true;
        return () => (this.isWatched = false);
      },
    });
  }

  hide(hidden) {
    this.hidden = hidden;
    this.turned();
  }

  bodies() {
    return this.heard.filter((frame) => frame.t === "message").map((frame) => frame.body);
  }
}

function reply(text, status, headers = {}) {
  return new Response(text, { status, headers });
}

function until(promise, signal) {
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    promise.then(resolve, reject);
  });
}

const realImmediate = setImmediate;

/** Let everything happen that needs no time. */
async function settle() {
  for (let i = 0; i < 6; i += 1) await new Promise((resolve) => realImmediate(resolve));
}

/** Let time pass, in steps that no timer here falls between unnoticed. */
async function wait(ms) {
  for (let left = ms; left > 0; left -= 250) {
    mock.timers.tick(Math.min(250, left));
    await settle();
  }
}

async function live() {
  const server = new Poller();
  const page = new Page(server);
  await settle();
  assert.deepEqual(page.heard, [WELCOME]);
  return { server, page };
}

const message = (body) => ({ t: "message", conversation: 7, body });
const send = (n) => ({ t: "send", key: `k${n}`, n });

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

test("the hello opens the session and a poll is held from then on", async () => {
  const { server, page } = await live();
  const [first, second] = server.requests;
  assert.deepEqual([first.poll, first.ack, first.hello], [1, 0, HELLO]);
  assert.equal(first.headers["kefu-session"], undefined);
  assert.deepEqual([second.poll, second.ack, second.wait], [2, 1, 25]);
  assert.equal(second.headers["kefu-session"], server.session);
  server.put(message("a"));
  await settle();
  assert.deepEqual(page.bodies(), ["a"]);
  assert.equal(server.requests.length, 3);
});

test("frames go up in order, one request at a time", async () => {
  const { server, page } = await live();
  let release;
  server.faults = [new Promise((resolve) => (release = resolve))];
  page.wire.send([send(1)]);
  page.wire.send([send(2)]);
  page.wire.send([send(3), send(4)]);
  await settle();
  release();
  await settle();
  assert.deepEqual(server.taken.map((frame) => frame.n), [1, 2, 3, 4]);
  assert.deepEqual(server.requests.filter((r) => r.rid).map((r) => r.rid), [1, 2]);
  assert.equal(server.uplinksMost, 1);
});

test("a request whose answer is lost is made again under its number and taken once", async () => {
  const { server, page } = await live();
  server.faults = ["lose", "refuse", "cut"];
  page.wire.send([send(1)]);
  await wait(5_000);
  page.wire.send([send(2)]);
  await wait(1_000);
  const ups = server.requests.filter((request) => request.rid);
  assert.deepEqual(ups.map((request) => request.rid), [1, 1, 1, 1, 2]);
  assert.deepEqual(server.taken.map((frame) => frame.n), [1, 2]);
  assert.deepEqual(page.codes, []);
});

test("a poll whose answer is lost or cut brings the same batches again", async () => {
  const { server, page } = await live();
  server.put(message("a"));
  await settle();
  const before = server.polls().length;
  server.faults = ["lose"];
  await wait(30_000);
  server.faults = ["cut", "lose"];
  server.put(message("b"));
  await wait(30_000);
  server.put(message("c"));
  await wait(3_000);
  assert.deepEqual(page.bodies(), ["a", "b", "c"]);
  const numbers = server.polls().slice(before).map((request) => request.poll);
  assert.ok(new Set(numbers).size < numbers.length, "a failed poll keeps its number");
  assert.deepEqual(page.codes, []);
});

test("batches that come twice, over both kinds of request, are shown once", async () => {
  const { server, page } = await live();
  server.held = null;
  server.pending.push(message("a"));
  page.wire.send([send(1)]);
  await settle();
  page.wire.take({ batches: server.batches });
  page.wire.take({ batches: [{ n: 9, frames: [message("from the future")] }] });
  assert.deepEqual(page.bodies(), ["a"]);
});

test("every pattern of faults leaves each frame once, in order, on both ways", async () => {
  let state = 7;
  const chance = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const kinds = ["lose", "cut", "refuse", undefined, undefined, undefined];
  for (let round = 0; round < 12; round += 1) {
    const { server, page } = await live();
    // Four in a row would end the session, as it should.
    server.mercy = 3;
    const expected = [];
    for (let n = 1; n <= 12; n += 1) {
      server.faults = [0, 1].map(() => kinds[Math.floor(chance() * kinds.length)]);
      page.wire.send([send(n)]);
      server.put(message(`m${n}`));
      expected.push(`m${n}`);
      if (chance() < 0.3) page.hide(!page.hidden);
      await wait(chance() * 4_000);
    }
    page.hide(false);
    server.faults = [];
    await wait(10_000);
    assert.deepEqual(page.bodies(), expected, `round ${round}`);
    assert.deepEqual(server.taken.map((frame) => frame.n), expected.map((_, i) => i + 1));
    assert.equal(server.uplinksMost, 1);
    page.wire.close();
  }
});

test("a session that is gone ends the wire, to begin anew with hello", async () => {
  const { server, page } = await live();
  server.isGone = true;
  page.wire.send([send(1)]);
  await settle();
  assert.deepEqual(page.codes, [[4290, 0]]);
});

test("a server that stays away ends the wire soon, without a storm", async () => {
  const { server, page } = await live();
  const before = server.requests.length;
  server.faults = Array(99).fill("refuse");
  server.held();
  await wait(6_000);
  assert.equal(page.codes[0][0], 1006);
  assert.ok(server.requests.length - before <= 5, `${server.requests.length - before}`);
});

test("Retry-After is obeyed", async () => {
  const { server, page } = await live();
  server.faults = [reply("{}", 429, { "retry-after": "3" }), reply("{}", 503, { "retry-after": "2" })];
  page.wire.send([send(1)]);
  await wait(2_750);
  const ups = () => server.requests.filter((request) => request.rid).length;
  assert.equal(ups(), 1);
  await wait(1_500);
  assert.equal(ups(), 2);
  await wait(4_000);
  assert.deepEqual(server.taken.map((frame) => frame.n), [1]);
  assert.deepEqual(page.codes, []);
});

test("a busy server says when the hello may come again", async () => {
  const server = new Poller();
  server.faults = [reply("{}", 503, { "retry-after": "2" })];
  const page = new Page(server);
  await settle();
  assert.deepEqual(page.codes, [[4100, 2000]]);
});

test("a poll that is never answered is given up and asked again, then it is over", async () => {
  const { server, page } = await live();
  const never = new Promise(() => {});
  server.faults = [never, never, never];
  await wait(22_750);
  assert.equal(server.polls().at(-1).poll, 3);
  await wait(34_000);
  assert.equal(server.polls().length, 3);
  await wait(2_000);
  assert.deepEqual(server.polls().slice(2).map((poll) => poll.poll), [3, 3]);
  await wait(20_000);
  assert.deepEqual(page.codes, [[4201, 0]]);
});

test("a way up that is dead for two heartbeats is the end, though polls look healthy", async () => {
  const { server, page } = await live();
  const never = new Promise(() => {});
  const { fetch } = server;
  server.fetch = null;
  page.wire.requests.fetch = (url, options) =>
    JSON.parse(options.body).rid ? until(never, options.signal) : fetch(url, options);
  page.wire.send([send(1)]);
  await wait(40_000);
  assert.deepEqual(page.codes, []);
  await wait(12_000);
  assert.deepEqual(page.codes, [[4201, 0]]);
});

test("every answer is a sign of life", async () => {
  const { page } = await live();
  const { signs } = page;
  await wait(70_000);
  assert.ok(page.signs >= signs + 2);
  assert.deepEqual(page.codes, []);
});

test("a server whose heart beats faster is polled as fast", async () => {
  const { server, page } = await live();
  server.put({ ...WELCOME, heartbeat_s: 5 });
  await settle();
  assert.equal(server.polls().at(-1).wait, 5);
  assert.deepEqual(page.codes, []);
});

test("a hidden page holds no poll and looks in every half minute", async () => {
  const { server, page } = await live();
  page.hide(true);
  await settle();
  assert.equal(server.polls().at(-1).wait, 0);
  assert.equal(server.held, null, "the held poll is released");
  const count = server.polls().length;
  server.put(message("a"));
  await wait(29_000);
  assert.equal(server.polls().length, count);
  await wait(2_000);
  assert.deepEqual(page.bodies(), ["a"]);
  assert.equal(server.polls().length, count + 1);
  assert.equal(server.polls().at(-1).wait, 0);
});

test("a page that is shown again is brought up to date at once", async () => {
  const { server, page } = await live();
  page.hide(true);
  await settle();
  server.put(message("a"));
  page.hide(false);
  await settle();
  assert.deepEqual(page.bodies(), ["a"]);
  assert.equal(server.polls().at(-1).wait, 25);
});

test("what a hidden page sends goes up at once", async () => {
  const { server, page } = await live();
  page.hide(true);
  page.wire.send([send(1)]);
  await settle();
  assert.equal(server.taken.length, 1);
});

test("a wake gives up the held poll for one that is answered at once", async () => {
  const { server, page } = await live();
  await wait(2_000);
  const { signs } = page;
  page.wire.wake();
  page.wire.wake();
  await settle();
  assert.equal(page.signs, signs + 1);
  const [given, ...now] = server.polls().slice(-3);
  assert.ok(given.signal.aborted, "a browser has few connections to a server");
  assert.deepEqual(now.map((poll) => poll.wait), [0, 25]);
});

test("a page that is left says goodbye, with what it had not said yet", async () => {
  const { server, page } = await live();
  page.leave();
  await settle();
  const last = server.requests.at(-1);
  assert.deepEqual([last.rid, last.frames, last.keepalive], [1, [{ t: "bye" }], true]);
  assert.deepEqual(page.codes, [[1000, 0]]);
  assert.equal(page.isWatched, false);
  const count = server.requests.length;
  page.wire.send([send(1)]);
  await wait(60_000);
  assert.equal(server.requests.length, count, "nothing is asked after the end");
});

test("somebody else's page in place of an answer is no answer", async () => {
  const { server, page } = await live();
  const portals = ["<html>Log in to the hotel</html>", '{"login":"required"}'];
  server.faults = portals.map((text) => reply(text, 200));
  page.wire.send([send(1)]);
  await wait(4_000);
  assert.deepEqual(server.taken.map((frame) => frame.n), [1]);
});

test("answers that come at once with nothing in them are not asked for in a storm", async () => {
  const { server } = await live();
  const count = server.requests.length;
  server.faults = Array.from({ length: 99 }, () => reply("{}", 200, { "kefu-session": server.session }));
  server.held();
  await wait(10_000);
  assert.ok(server.requests.length - count <= 10, `${server.requests.length - count}`);
});
