import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../kefu_server/web/client/chooser.js";
import { Connection } from "../../kefu_server/web/client/connection.js";
import { Logs } from "../../kefu_server/web/client/logs.js";
import { Outbox } from "../../kefu_server/web/client/outbox.js";
import { Session } from "../../kefu_server/web/client/session.js";
import { Transports } from "../../kefu_server/web/client/transports.js";
import { batches } from "../../kefu_server/web/client/websocket.js";
import { PHRASES } from "../../kefu_server/web/console/phrases.js";
import { itemsOf } from "../../kefu_server/web/ui/items.js";
import en from "../../kefu_server/web/ui/locales/en.js";
import zh from "../../kefu_server/web/ui/locales/zh-CN.js";

const DAY = 86_400_000;
const NOON = new Date(2026, 0, 5, 12).getTime();
const mine = (sender) => sender === "v1";
const line = (seq, sender, at, more = {}) => ({ key: `#${seq}`, seq, sender, kind: "text", body: "x", at, ...more });

test("delays grow to their ceiling and start again after a live connection", () => {
  const backoff = new Backoff(() => 1);
  const delays = Array.from({ length: 8 }, () => backoff.next());
  assert.deepEqual(delays.slice(0, 3), [500, 1000, 2000]);
  assert.equal(delays.at(-1), 20_000);
  backoff.reset();
  assert.equal(backoff.next(), 500);
});

test("delays are spread over their whole range", () => {
  const backoff = new Backoff(() => 0);
  backoff.attempt = 6;
  assert.ok(backoff.next() < 500);
});

test("frames are joined below the server's limits", () => {
  const frames = Array.from({ length: 250 }, () => ({ t: "ping" }));
  const joined = batches(frames);
  assert.deepEqual(joined.map((batch) => batch.split("\n").length), [100, 100, 50]);
  const large = { t: "typing", conversation: 1, text: "x".repeat(15_990) };
  assert.equal(batches([large, large]).length, 2);
});

test("bubbles are grouped and days are separated", () => {
  const items = itemsOf(
    [line(1, "v1", NOON), line(2, "v1", NOON + 1000), line(3, "a1", NOON + 2000), line(4, "a1", NOON + DAY)],
    mine,
    { delivered: 0, read: 0 },
  );
  assert.deepEqual(items.map((i) => i.type), ["day", "bubble", "bubble", "bubble", "day", "bubble"]);
  assert.deepEqual(items.map((i) => [i.isFirst, i.isLast]).slice(1, 4), [[true, false], [false, true], [true, true]]);
});

test("the state of a bubble is what the other side has acknowledged", () => {
  const lines = [
    line(1, "v1", NOON), line(2, "v1", NOON), line(3, "v1", NOON),
    line(undefined, "v1", NOON, { key: "p" }), line(undefined, "v1", NOON, { key: "f", failure: "conflict" }),
  ];
  const items = itemsOf(lines, mine, { delivered: 2, read: 1 });
  assert.deepEqual(items.slice(1).map((i) => i.state), ["read", "delivered", "sent", "sending", "failed"]);
});

test("nothing is said of how far the other side has come with a note", () => {
  const [, item] = itemsOf([line(1, "v1", NOON, { kind: "note" })], mine, { delivered: 1, read: 1 });
  assert.equal(item.state, "sent");
});

test("what its sender has taken back is gone from a page that holds it", () => {
  const logs = new Logs();
  const frame = (seq, sender, kind, more) => ({ t: "message", conversation: 1, seq, sender, kind, at: NOON, body: "", ...more });
  logs.append(frame(7, "v1", "text", { body: "secret" }));
  logs.append(frame(8, "v1", "text", { body: "kept" }));
  // Nobody takes back what another has sent.
  logs.append(frame(9, "a1", "recall", { ref: 8 }));
  logs.append(frame(10, "v1", "recall", { ref: 7 }));
  const shown = itemsOf(logs.of(1).messages.map((m) => ({ ...m, key: String(m.seq) })), mine, { delivered: 0, read: 0 });
  assert.deepEqual(shown.slice(1).map((i) => [i.line.kind, i.line.body]), [["erased", ""], ["text", "kept"]]);
});

test("where the server has a hole, and where it has other words than were written, that is shown", () => {
  const logs = new Logs();
  const frame = (seq, more) => ({ t: "message", conversation: 1, seq, sender: "v1", kind: "text", at: NOON, body: "x", ...more });
  logs.append(frame(5));
  logs.append(frame(6, { kind: "placeholder", body: "", data: { damaged: true } }));
  // Said again after each new connection, and shown once; other refusals are no damage.
  for (const code of ["damaged", "damaged", "internal"]) logs.refused(1, { code }, 7);
  logs.refused(1, { code: "disconnected" }, 4);
  logs.refused(1, { code: "damaged" }, 4);
  const log = logs.of(1);
  assert.deepEqual(log.messages.map((m) => m.seq), [4, 5, 6, 7]);
  assert.equal(log.first, 4);
  const shown = itemsOf(log.messages.map((m) => ({ ...m, key: String(m.seq) })), mine, { delivered: 0, read: 0 });
  assert.deepEqual(shown.slice(1).map((i) => i.line.kind), ["damaged", "text", "damaged", "damaged"]);
});

test("what a page has sent into a history that is gone, and what came back lacks, is not sent", () => {
  const missing = [];
  const logs = new Logs((entry) => missing.push(entry));
  const frame = (conversation, seq, more) => ({ t: "message", conversation, seq, sender: "v1", kind: "text", at: NOON, body: `m${seq}`, key: `k${seq}`, ...more });
  for (const seq of [1, 2, 3, 4]) logs.append(frame(7, seq));
  logs.append(frame(7, 5, { sender: "a1", key: undefined }));
  logs.append(frame(8, 1, { key: "other" }));
  logs.reset();
  logs.lost.welcomed({ me: { id: "v1" }, heads: { 7: 2 } });
  // A conversation that is gone as a whole is begun again.
  assert.deepEqual(missing.splice(0).map((e) => [e.key, e.conversation, e.failure]), [["other", null, "lost"]]);
  // Somebody has written in place of the third one before this page was back.
  logs.lost.reaches({ conversation: 7, last_seq: 3 });
  assert.deepEqual(missing.splice(0).map((e) => [e.key, e.body]), [["k4", "m4"]]);
  logs.append(frame(7, 2));
  logs.append(frame(7, 3, { sender: "a1", key: undefined }));
  assert.deepEqual(missing.map((e) => [e.key, e.conversation, e.kind]), [["k3", 7, "text"]]);
});

test("an edit is shown in place of its message, with what it said before", () => {
  const lines = [
    line(1, "v1", NOON, { body: "fiirst" }), line(2, "a1", NOON, { body: "yes?" }),
    line(3, "v1", NOON + 1, { kind: "edit", ref: 1, body: "fist" }),
    // Nobody edits what another has sent, and nothing comes from a place that is not held.
    line(4, "v1", NOON, { kind: "edit", ref: 2, body: "no!" }), line(5, "v1", NOON, { kind: "edit", ref: 99, body: "?" }),
    line(6, "v1", NOON + 2, { kind: "edit", ref: 1, body: "first" }),
  ];
  const items = itemsOf(lines, mine, { delivered: 0, read: 0 }).slice(1);
  assert.deepEqual(items.map((i) => i.line.body), ["first", "yes?"]);
  assert.deepEqual(items[0].line.earlier, [{ body: "fiirst", at: NOON }, { body: "fist", at: NOON + 1 }]);
  assert.equal(items[1].line.earlier, undefined);
});

test("what was made of a message goes with it", () => {
  const logs = new Logs();
  const frame = (seq, kind, more) => ({ t: "message", conversation: 1, seq, sender: "v1", kind, at: NOON, body: "secret", ...more });
  for (const each of [frame(1, "text"), frame(2, "edit", { ref: 1 }), frame(3, "recall", { ref: 1, body: "" }), frame(4, "edit", { ref: 1, body: "late" })]) logs.append(each);
  const [, shown] = itemsOf(logs.of(1).messages.map((m) => ({ ...m, key: String(m.seq) })), mine, { delivered: 0, read: 0 });
  assert.deepEqual([shown.line.kind, shown.line.body], ["erased", ""]);
  assert.ok(!JSON.stringify(logs.of(1).messages).includes("secret"));
});

test("a text has the translation of how it reads now, and a failure gives way to what worked", () => {
  const lines = [
    line(1, "v1", NOON, { body: "ola" }), line(2, "s0", NOON, { kind: "translation", ref: 1, body: "hello?", data: { to: "en" } }),
    line(3, "v1", NOON, { kind: "edit", ref: 1, body: "olá" }), line(4, "s0", NOON, { kind: "translation", ref: 3, body: "hello", data: { to: "en", by: "deepl" } }),
    line(5, "v1", NOON, { body: "tudo bem?" }), line(6, "s0", NOON, { kind: "translation", ref: 5, body: "", data: { to: "en", failed: "later" } }),
    line(7, "v1", NOON, { body: "sim" }), line(8, "s0", NOON, { kind: "translation", ref: 7, body: "yes", data: { to: "en" } }),
    line(9, "s0", NOON, { kind: "translation", ref: 7, body: "", data: { to: "en", failed: "later" } }),
  ];
  const items = itemsOf(lines, mine, { delivered: 0, read: 0 }).slice(1);
  assert.deepEqual(items.map((i) => [i.line.body, i.line.translation?.body]), [["olá", "hello"], ["tudo bem?", ""], ["sim", "yes"]]);
});

test("placeholders are not shown", () => {
  const items = itemsOf([line(1, "a1", NOON, { kind: "placeholder" })], mine, { delivered: 0, read: 0 });
  assert.deepEqual(items, []);
});

test("both languages have the same phrases", () => {
  assert.deepEqual(Object.keys(PHRASES["zh-CN"]).sort(), Object.keys(PHRASES.en).sort());
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  for (const [phrase, text] of Object.entries(en)) assert.equal(names(zh[phrase]), names(text), phrase);
});

/** A connection whose sockets are handed to the test. */
function connection() {
  const sockets = [];
  const statuses = [];
  const refusals = [];
  const made = new Connection({
    session: new Session({ client: "test", outbox: new Outbox() }),
    token: async (isRefused) => (refusals.push(isRefused), "token"),
    transports: new Transports({
      websocket: (handlers) => {
        const socket = { ...handlers, sent: [], send: (frames) => socket.sent.push(...frames), close() {} };
        sockets.push(socket);
        return socket;
      },
    }),
    happened() {},
    changed: (status, code) => statuses.push([status, code]),
    random: () => 0,
  });
  return { made, sockets, statuses, refusals };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const WELCOME = { t: "welcome", session: "s", epoch: "e", resumed: false, heartbeat_s: 25, limits: {}, me: {} };

test("a refused token is asked for once more, a second refusal is final", async () => {
  const { made, sockets, statuses, refusals } = connection();
  made.start();
  await turn();
  sockets[0].opened();
  sockets[0].received({ t: "closed", code: 4001 });
  made.wake();
  await turn();
  sockets[1].opened();
  sockets[1].closed(4001);
  assert.deepEqual(refusals, [false, true]);
  assert.deepEqual(statuses.at(-1), ["stopped", 4001]);
});

test("a wake while waiting connects at once", async () => {
  const { made, sockets } = connection();
  made.start();
  await turn();
  sockets[0].closed(1006);
  assert.equal(made.status, "waiting");
  made.wake();
  await turn();
  assert.equal(sockets.length, 2);
  made.stop();
});

test("a wake while live asks for a sign of life", async () => {
  const { made, sockets } = connection();
  made.start();
  await turn();
  sockets[0].opened();
  sockets[0].received(WELCOME);
  made.wake();
  assert.equal(sockets[0].sent.at(-1).t, "ping");
  sockets[0].received({ t: "pong" });
  assert.equal(made.status, "live");
  made.stop();
});

test("what an abandoned socket still says is not heard", async () => {
  const { made, sockets } = connection();
  made.start();
  await turn();
  sockets[0].opened();
  sockets[0].closed(1006);
  made.wake();
  await turn();
  sockets[0].received(WELCOME);
  assert.equal(made.status, "connecting");
  made.stop();
});
