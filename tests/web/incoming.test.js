import assert from "node:assert/strict";
import { test } from "node:test";
import { areSame, Incoming, isHeld } from "../../kefu_server/web/client/incoming.js";

const RULES = { language: "zh-CN", holds_s: 3 };

/** Somebody's end of a conversation, under a clock that is set by hand. */
function person(context, rules = RULES) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  Object.defineProperty(globalThis, "navigator", { value: { language: "pt-BR" }, configurable: true });
  const heard = [];
  const incoming = new Incoming({ isMine: (sender) => sender.startsWith("v"), heard: (text) => heard.push(text), changed: () => {} });
  const log = [];
  const take = (kind, body = "", more = {}) => {
    const sender = kind === "translation" ? "s0" : "a1";
    const message = { seq: log.length + 1, kind, sender, body, at: 100_000, ...more };
    log.push(message);
    incoming.take(message, rules, { now: 100_050, isNews: true });
    return message.seq;
  };
  const shown = () => log.filter((m) => incoming.isShown(m) && m.kind !== "translation").map((m) => m.body);
  return { take, shown, heard, incoming, pass: (ms) => context.mock.timers.tick(ms) };
}

test("a message waits for its translation, and what follows waits behind it", (context) => {
  const { take, shown, heard, incoming } = person(context);
  const first = take("text", "有货");
  take("file", "a.pdf");
  take("text", "好", { sender: "v1" });
  assert.deepEqual([shown(), heard, incoming.from], [["好"], [], first]);
  take("translation", "Temos", { ref: first });
  assert.deepEqual([shown(), heard], [["有货", "a.pdf", "好"], ["有货", "a.pdf"]]);
});

test("a failure ends the wait, and so does the time", (context) => {
  const { take, shown, pass } = person(context);
  take("translation", "", { ref: take("text", "有货"), data: { failed: "later" } });
  assert.deepEqual(shown(), ["有货"]);
  take("text", "今天");
  pass(2_999);
  assert.deepEqual(shown(), ["有货"]);
  pass(1);
  assert.deepEqual(shown(), ["有货", "今天"]);
});

test("what did not come is not waited for again, until something comes", (context) => {
  const { take, shown, pass } = person(context);
  const first = take("text", "Bom dia");
  pass(3_000);
  take("text", "Tudo bem?");
  assert.deepEqual(shown(), ["Bom dia", "Tudo bem?"]);
  take("translation", "早上好", { ref: first });
  take("text", "有货");
  assert.equal(shown().length, 2);
});

test("history, signs, one's own language and a site that wants no wait are not held", (context) => {
  const { take, shown } = person(context);
  take("text", "有货", { at: 97_000 });
  take("text", "https://a.example/b 12:30 SKU-9 👍 me@a.example");
  assert.equal(shown().length, 2);
  for (const rules of [null, { language: "zh-CN", holds_s: 0 }, { language: "pt-PT", holds_s: 3 }]) {
    context.mock.timers.reset();
    const other = person(context, rules);
    other.take("text", "有货");
    assert.deepEqual(other.shown(), ["有货"]);
  }
});

test("what is taken back meanwhile is never said", (context) => {
  const { take, heard, incoming, pass } = person(context);
  take("recall", "", { ref: take("text", "有货") });
  assert.deepEqual([heard, incoming.from], [[], Infinity]);
  take("text", "今天");
  incoming.clear();
  pass(5_000);
  assert.deepEqual([heard, incoming.seen.size], [[], 0]);
});

test("languages are the same where their readers read each other", () => {
  assert.ok(areSame("pt-BR", "pt-PT") && areSame("zh-CN", "zh-Hans"));
  assert.ok(!areSame("zh-CN", "zh-TW") && !areSame("", "pt") && !areSame("en", "pt"));
  assert.ok(isHeld({ at: 5, body: "25码 ok" }, 10, 14) && !isHeld({ at: 5, body: "25 ok9" }, 10, 14) && !isHeld({ at: 5, body: "ok" }, 10, 15));
});

test("what other agents read it in is nothing to wait for, and a choice counts for more than the browser", (context) => {
  const { take, shown } = person(context);
  const first = take("text", "有货");
  take("translation", "In stock", { ref: first, data: { to: "en", for: "agents" } });
  assert.deepEqual(shown(), []);
  take("translation", "Temos", { ref: first, data: { to: "pt" } });
  assert.deepEqual(shown(), ["有货"]);
  context.mock.timers.reset();
  const chooses = person(context, { ...RULES, chosen: "zh-Hans" });
  chooses.take("text", "有货");
  assert.deepEqual(chooses.shown(), ["有货"]);
});

test("one agent of another language is enough for a first text to wait; then each is known by what it wrote", (context) => {
  const { take, shown, pass } = person(context, { language: "pt-BR", agents: ["pt-BR", "zh-CN"], holds_s: 3 });
  const first = take("text", "有货", { sender: "a2" });
  assert.deepEqual(shown(), []);
  take("translation", "Temos", { ref: first, data: { to: "pt" } });
  // The other writes what the visitor reads: it is waited for once, and the first still is.
  take("text", "Bom dia", { sender: "a1" });
  assert.deepEqual(shown(), ["有货"]);
  pass(3_000);
  take("text", "Tudo bem?", { sender: "a1" });
  assert.deepEqual(shown(), ["有货", "Bom dia", "Tudo bem?"]);
  const next = take("text", "今天", { sender: "a2" });
  assert.equal(shown().length, 3);
  take("translation", "Hoje", { ref: next, data: { to: "pt" } });
  assert.equal(shown().length, 4);
});

test("agents who all write what the visitor reads are not waited for; what the site says goes by its own language", (context) => {
  const { take, shown } = person(context, { language: "zh-CN", agents: ["pt-PT"], holds_s: 3 });
  take("text", "Bom dia", { sender: "a1" });
  assert.deepEqual(shown(), ["Bom dia"]);
  take("text", "您好", { sender: "s0" });
  assert.deepEqual(shown(), ["Bom dia"]);
  context.mock.timers.reset();
  const other = person(context, { language: "pt-BR", agents: ["zh-CN"], holds_s: 3 });
  other.take("text", "Bem-vindo", { sender: "s0" });
  assert.deepEqual(other.shown(), ["Bem-vindo"]);
});

test("nothing waits while either side has translations switched off, whatever comes for agents", (context) => {
  const { take, shown } = person(context);
  take("translation", "Temos", { ref: take("text", "有货") });
  take("translating", "", { sender: "v1", data: { is_on: false } });
  take("translation", "你好", { ref: take("text", "Oi", { sender: "v1" }) });
  take("text", "今天");
  const said = () => shown().filter(Boolean);
  assert.deepEqual(said(), ["有货", "Oi", "今天"]);
  take("translating", "", { data: { is_on: false } });
  take("translating", "", { sender: "v1", data: { is_on: true } });
  take("text", "明天");
  assert.equal(said().length, 4);
  take("translating", "", { data: { is_on: true } });
  take("text", "后天");
  assert.equal(said().length, 4);
});
