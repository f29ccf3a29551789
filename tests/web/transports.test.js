import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection } from "../../kefu_server/web/client/connection.js";
import { Outbox } from "../../kefu_server/web/client/outbox.js";
import { Session } from "../../kefu_server/web/client/session.js";
import { Memory, Transports } from "../../kefu_server/web/client/transports.js";
import { FakeServer, FakeStorage } from "./fakes.js";

const realImmediate = setImmediate;

async function settle() {
  for (let i = 0; i < 6; i += 1) await new Promise((resolve) => realImmediate(resolve));
}

async function wait(ms) {
  for (let left = ms; left > 0; left -= 250) {
    mock.timers.tick(Math.min(250, left));
    await settle();
  }
}

/** A page with two transports to one server; the test says what each is able to. */
class Page {
  constructor(storage = new FakeStorage()) {
    /** "good", "refused", "never opens", "silent", or "dies" */
    this.ways = { websocket: "good", longpoll: "good" };
    this.tries = [];
    this.server = new FakeServer();
    this.outbox = new Outbox();
    this.session = new Session({ client: "test", outbox: this.outbox });
    this.shown = [];
    this.statuses = [];
    this.wires = [];
    const open = (name) => (handlers) => this.open(name, handlers);
    this.connection = new Connection({
      session: this.session,
      token: async () => "token",
      transports: new Transports(
        { websocket: open("websocket"), longpoll: open("longpoll") },
        new Memory("https://kefu", () => storage),
      ),
      happened: (event) => event.type === "message" && this.shown.push(event.frame.body),
      changed: (status) => this.statuses.push(status),
      random: () => 0.5,
    });
  }

  open(name, handlers) {
    const way = this.ways[name];
    this.tries.push(name);
    const wire = {
      name,
      isOpen: true,
      sent: [],
      send: (frames) => {
        wire.sent.push(...frames);
        if (!wire.isOpen || way === "silent") return;
        const answers = wire.sent[0].client === "kefu-probe/1" ? probed(frames) : this.answer(frames);
        queueMicrotask(() => answers.forEach((frame) => wire.isOpen && handlers.received(structuredClone(frame))));
        if (way === "dies") queueMicrotask(() => wire.end(1006));
      },
      close: () => (wire.isOpen = false),
      end: (code, afterMs) => wire.isOpen && ((wire.isOpen = false), handlers.closed(code, afterMs)),
    };
    this.wires.push(wire);
    if (way === "refused") queueMicrotask(() => wire.end(1006));
    else if (way !== "never opens") queueMicrotask(() => wire.isOpen && handlers.opened());
    return wire;
  }

  answer(frames) {
    if (frames.some((frame) => frame.t === "hello")) this.server.connect();
    const pongs = frames.filter((frame) => frame.t === "ping").map(() => ({ t: "pong" }));
    return [...this.server.take(structuredClone(frames)), ...pongs];
  }

  async start() {
    this.connection.start();
    await settle();
    return this;
  }

  get transport() {
    return this.connection.status === "live" ? this.connection.transports.current : this.connection.status;
  }

  write(body) {
    this.outbox.add({ key: `k-${body}`, conversation: 7, kind: "text", body, at: 0 });
    this.session.flush(Date.now());
    this.connection.pump();
  }
}

/** What a server says to one who only tries the way. */
function probed(frames) {
  return frames.map(({ t }) => ({ t: t === "hello" ? "welcome" : "pong" }));
}

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

test("where WebSocket is refused, long poll is tried without a pause", async () => {
  const page = new Page();
  page.ways.websocket = "refused";
  await page.start();
  await wait(250);
  assert.equal(page.transport, "longpoll");
  assert.deepEqual(page.tries, ["websocket", "longpoll"]);
  page.connection.stop();
});

test("a WebSocket that does not open is given up after three seconds", async () => {
  const page = new Page();
  page.ways.websocket = "never opens";
  await page.start();
  await wait(2_750);
  assert.deepEqual(page.tries, ["websocket"]);
  await wait(750);
  assert.equal(page.transport, "longpoll");
  page.connection.stop();
});

test("a WebSocket that opens and stays silent is given up after eight", async () => {
  const page = new Page();
  page.ways.websocket = "silent";
  await page.start();
  await wait(7_750);
  assert.deepEqual(page.tries, ["websocket"]);
  await wait(750);
  assert.equal(page.transport, "longpoll");
  page.connection.stop();
});

test("a WebSocket that dies young twice is given up", async () => {
  const page = new Page();
  page.ways.websocket = "dies";
  await page.start();
  await wait(3_000);
  assert.equal(page.transport, "longpoll");
  assert.deepEqual(page.tries, ["websocket", "websocket", "longpoll"]);
  page.connection.stop();
});

test("a server that is away is not stormed", async () => {
  const page = new Page();
  page.ways = { websocket: "refused", longpoll: "refused" };
  await page.start();
  await wait(20_000);
  assert.ok(page.tries.length < 20, `${page.tries.length} tries`);
  page.connection.stop();
});

test("what the server itself says is held against no transport", async () => {
  const page = await new Page().start();
  for (const code of [4100, 4200, 4203, 4100]) {
    page.wires.at(-1).end(code);
    await wait(10_000);
  }
  assert.equal(page.transport, "websocket");
  assert.ok(page.tries.every((name) => name === "websocket"));
  page.connection.stop();
});

test("a poll session that was good and is gone is begun anew at once", async () => {
  const page = new Page();
  page.ways.websocket = "refused";
  await page.start();
  await wait(11_000);
  const count = page.tries.length;
  page.wires.at(-1).end(4290);
  mock.timers.tick(1);
  await settle();
  assert.equal(page.tries.length, count + 1);
  assert.equal(page.transport, "longpoll");
  page.connection.stop();
});

test("a server that says when to come back is not asked before", async () => {
  const page = await new Page().start();
  await wait(15_000);
  page.wires.at(-1).end(4100, 9_000);
  await wait(8_750);
  assert.equal(page.tries.length, 1);
  await wait(1_000);
  assert.equal(page.transport, "websocket");
  page.connection.stop();
});

test("the next page starts with what worked, and probes its way back up", async () => {
  const storage = new FakeStorage();
  const first = new Page(storage);
  first.ways.websocket = "refused";
  await first.start();
  await wait(250);
  first.connection.stop();

  const page = await new Page(storage).start();
  page.ways.websocket = "refused";
  assert.deepEqual(page.tries, ["longpoll"]);
  await wait(60_500);
  assert.deepEqual(page.tries, ["longpoll", "websocket"], "one probe in the first minute");
  assert.equal(page.transport, "longpoll");
  page.ways.websocket = "silent";
  await wait(130_000);
  assert.equal(page.transport, "longpoll");
  page.ways.websocket = "good";
  await wait(250_000);
  assert.equal(page.transport, "websocket");
  assert.deepEqual(page.tries.slice(-2), ["websocket", "websocket"], "a probe, and the move");
  assert.equal(new Memory("https://kefu", () => storage).recall(Date.now()), "websocket");
  page.connection.stop();
});

test("a conversation that moves from one transport to another is whole", async () => {
  const page = await new Page().start();
  page.session.follow(7, 0);
  page.write("a");
  await settle();
  page.ways.websocket = "refused";
  page.wires.at(-1).isOpen = false;
  page.write("b");
  page.wires.at(-1).isOpen = true;
  page.wires.at(-1).end(1006);
  page.write("c");
  await wait(5_000);
  assert.equal(page.transport, "longpoll");
  page.write("d");
  page.ways.websocket = "good";
  await wait(61_000);
  page.write("e");
  await settle();
  assert.equal(page.transport, "websocket");
  assert.deepEqual(page.server.log.map((message) => message.body), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(page.shown, ["a", "b", "c", "d", "e"]);
  page.connection.stop();
});

test("a choice of one transport is kept to", async () => {
  const page = new Page();
  page.connection.transports = new Transports({ websocket: (handlers) => page.open("websocket", handlers) });
  page.ways.websocket = "refused";
  await page.start();
  await wait(30_000);
  assert.ok(page.tries.every((name) => name === "websocket"));
  assert.ok(page.tries.length < 12);
  page.connection.stop();
});

test("who has left looks for nothing better", async () => {
  const page = new Page();
  page.ways.websocket = "refused";
  await page.start();
  await wait(1_000);
  page.connection.stop();
  const count = page.tries.length;
  await wait(200_000);
  assert.equal(page.tries.length, count);
});
