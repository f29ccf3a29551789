import assert from "node:assert/strict";
import { test } from "node:test";
import { allOf, fitting, PAGE } from "../../kefu_server/web/console/translation/entries.js";
import { PHRASES } from "../../kefu_server/web/console/translation/phrases.js";
import { PHRASES as FIGURES, cellsOf, leftOf } from "../../kefu_server/web/console/translation/figures.js";
import { PHRASES as PREVIEW } from "../../kefu_server/web/console/translation/preview.js";
import { PHRASES as SWITCH } from "../../kefu_server/web/console/translation/switch.js";
import { Glance } from "../../kefu_server/web/console/translation/glance.js";
import { readsOf } from "../../kefu_server/web/console/translation/reads.js";
import { PHRASES as RULES } from "../../kefu_server/web/console/translation/rules.js";
import { itemsOf } from "../../kefu_server/web/ui/items.js";
import { tonguesOf } from "../../kefu_server/web/ui/tongues.js";
import { readsIn } from "../../kefu_server/web/widget/translating.js";

const entry = (id, more = {}) => ({ id, site: 1, source: "pt", target: "zh-CN", text: "Olá", translation: "您好", agent: 1, updated_at: 0, may_delete: true, ...more });

/** @param {number} count newest first, as the server gives them */
const serve = (count, asked = []) => async (before = Infinity) => {
  asked.push(before);
  const ids = Array.from({ length: count }, (_, at) => count - at).filter((id) => id < before);
  return ids.slice(0, PAGE).map((id) => entry(id));
};

test("all of a site's kept translations are asked for, each once", async () => {
  for (const count of [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE]) {
    const asked = [];
    const found = await allOf(serve(count, asked));
    assert.deepEqual(found.map(({ id }) => id), Array.from({ length: count }, (_, at) => count - at));
    assert.equal(asked.length, Math.floor(count / PAGE) + 1);
  }
});

test("a refusal on the way is one of all", async () => {
  const page = serve(2 * PAGE);
  assert.equal(await allOf(async (before) => (before ? null : page(before))), null);
});

test("words are found in both texts and languages, in any order and case", () => {
  const entries = [
    entry(1, { text: "Cadê meu pedido?", translation: "我的订单在哪里？" }),
    entry(2, { text: "Where is MY order?", source: "en", translation: "我的订单呢？" }),
    entry(3, { text: "Obrigado", translation: "谢谢" }),
  ];
  const ids = (wanted) => fitting(entries, wanted).map(({ id }) => id);
  assert.deepEqual(ids(""), [1, 2, 3]);
  assert.deepEqual(ids("  order my "), [2]);
  assert.deepEqual(ids("订单"), [1, 2]);
  assert.deepEqual(ids("订单 en"), [2]);
  assert.deepEqual(ids("PEDIDO"), [1]);
  assert.deepEqual(ids("pedido 谢谢"), []);
});

test("figures of a service and of a site fit into a line", () => {
  const idle = { provider: "deepl", calls: 0, texts: 0, chars: 0, failures: {}, seconds: 0, seconds_max: 0, hits: 0, paused_s: 0, last_failure: "" };
  assert.deepEqual(cellsOf(idle), ["正常使用", "0", "0", "–", "0", "0"]);
  const busy = { ...idle, calls: 4, chars: 90, seconds: 3, seconds_max: 2.5, failures: { later: 2, text: 1 }, hits: 7, paused_s: 4.2 };
  assert.deepEqual(cellsOf(busy), ["暂停 5 秒", "4", "90", "0.75, 2.50", "later 2, text 1", "7"]);
  const usage = { name: "", chars: 30, hits: 0, is_near: false, is_spent: false };
  assert.deepEqual([0, 20, 50].map((chars_per_day) => leftOf({ ...usage, chars_per_day })), ["不限", "0", "20"]);
});

test("both languages have the same phrases", () => {
  const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  for (const phrases of [PHRASES, RULES, FIGURES, SWITCH, PREVIEW]) {
    assert.deepEqual(Object.keys(phrases["zh-CN"]).sort(), Object.keys(phrases.en).sort());
    for (const [phrase, text] of Object.entries(phrases.en)) assert.equal(names(phrases["zh-CN"][phrase]), names(text), phrase);
  }
});

/** A visitor's text, and one of an agent who writes Chinese, in some languages each. */
const LOG = [
  { seq: 1, sender: "v1", kind: "text", body: "olá" },
  { seq: 2, sender: "a1", kind: "text", body: "有货" },
  { seq: 3, ref: 1, body: "你好", data: { to: "zh-CN", from: "pt" } },
  { seq: 4, ref: 1, body: "hi", data: { to: "en", from: "pt" } },
  { seq: 5, ref: 2, body: "Temos", data: { to: "pt", from: "zh" } },
  { seq: 6, ref: 2, body: "In stock", data: { to: "en", from: "zh", for: "agents" } },
].map((line) => ({ key: `k${line.seq}`, sender: "s0", kind: "translation", at: 0, ...line }));
const told = (reads, lines = LOG, isMine = (sender) => sender.startsWith("a")) =>
  itemsOf(lines, isMine, { delivered: 0, read: 0 }, reads).filter(({ type }) => type === "bubble").map(({ line }) => [line.translation?.body, line.translation?.isRead]);

test("an agent reads its own language, else the site's, else what was written", () => {
  const as = (id, language, site = "zh-CN") => readsOf({ me: { id, language: "fr" }, agents: new Map([[Number(id.slice(1)), { language }]]), directory: { within: new Map([[1, { agents_language: site }]]) } }, 1);
  // Of one's own text, and of a colleague's in one's own language, what the visitor reads.
  assert.deepEqual(told(as("a1", "")), [["你好", true], ["Temos", false]]);
  assert.deepEqual(told(as("a2", "zh")), [["你好", true], ["Temos", false]]);
  assert.deepEqual(told(as("a2", "en-GB")), [["hi", true], ["In stock", true]]);
  // Whoever reads Portuguese reads the visitor as it wrote.
  assert.deepEqual(told(as("a2", "pt-BR")), [[undefined, undefined], ["Temos", true]]);
  assert.deepEqual(told(as("a2", "de")), [["你好", true], ["Temos", false]]);
  assert.deepEqual(told(as("a2", "de", "ja")), [[undefined, undefined], ["Temos", false]]);
  const failed = LOG.map((line) => (line.ref === 1 ? { ...line, body: "", data: { to: line.data.to, failed: "later" } } : line));
  assert.deepEqual(told(as("a2", "en"), failed)[0], ["", true]);
});

test("a visitor reads what it has chosen, until then what it was given, and nothing that is the agents'", () => {
  Object.defineProperty(globalThis, "navigator", { value: { language: "en" }, configurable: true });
  const isMine = (sender) => sender.startsWith("v");
  const agents = (lines, chosen) => told(readsIn(lines, chosen, isMine), lines, isMine)[1];
  assert.deepEqual(agents(LOG, ""), ["Temos", undefined]);
  assert.deepEqual(agents(LOG, "en"), ["In stock", undefined]);
  assert.deepEqual(agents(LOG, "de"), ["Temos", undefined]);
  assert.deepEqual(agents(LOG, "zh-CN"), [undefined, undefined]);
  assert.deepEqual(agents(LOG.filter(({ seq }) => seq !== 5), ""), ["In stock", undefined]);
});

test("each language is offered once, those of the site first", () => {
  const tags = tonguesOf(["pt-PT", "zh-Hans", "rubbish!", "pt"]);
  assert.deepEqual(tags.slice(0, 3), ["pt-PT", "zh-Hans", "zh-TW"]);
  assert.ok(!tags.includes("pt-BR") && !tags.includes("zh-CN") && tags.includes("ja"));
  assert.equal(new Set(tags).size, tags.length);
});

/** An agent who reads English looks at what a colleague has, whose site reads Chinese. */
function onlooker(texts = []) {
  const asked = [];
  const answers = [];
  const call = (method, { conversation }) => new Promise((done) => (asked.push(`${method} ${conversation}`), answers.push(done)));
  const desk = { me: { id: "a5", language: "en" }, agents: new Map([[2, { language: "pt" }]]), directory: { within: new Map([[1, { agents_language: "zh-CN" }]]) }, chat: { isLive: true, call } };
  const glance = new Glance(desk, () => {});
  const row = { id: 7, site_id: 1, assignee: "a1", status: "assigned" };
  const log = [{ seq: 1, kind: "text", body: "olá", sender: "v1" }];
  const shown = (more = {}) => glance.with({ ...row, ...more }, log).filter(({ kind }) => kind === "translation").map(({ body }) => body);
  const told = async () => (answers.shift()({ texts }), await new Promise((done) => setTimeout(done)));
  return { asked, desk, glance, log, shown, told };
}

test("who looks on asks once for each text, and reads the answer as if it stood in the log", async () => {
  const read = { ref: 1, text: "hello", source: "pt", target: "en", by: "words" };
  const { asked, desk, glance, log, shown, told } = onlooker([read]);
  assert.deepEqual([shown(), shown(), asked], [[], [], ["conversation.read 7"]]);
  await told();
  assert.deepEqual([shown(), asked.length], [["hello"], 1]);
  const line = { seq: 1, sender: "v1" };
  const all = glance.with({ id: 7, site_id: 1, assignee: "a1" }, log).slice(-1);
  assert.equal(readsOf(desk, 1)(line, all)?.body, "hello");
  log.push({ seq: 2, kind: "text", body: "oi", sender: "v1" });
  assert.deepEqual([shown(), asked.length], [["hello"], 2]);
  // What comes late is not shown in another conversation, which is asked for as well.
  assert.deepEqual([shown({ id: 8 }), asked[2]], [[], "conversation.read 8"]);
  await told();
  assert.deepEqual(shown({ id: 8 }), []);
  await told();
  assert.deepEqual(shown({ id: 8 }), ["hello"]);
});

test("nothing is asked for where the log has it, or nothing is translated", () => {
  for (const more of [{ assignee: "a5" }, { status: "closed" }, { is_translated: false }, { site_id: 2 }]) {
    const { asked, shown } = onlooker();
    shown(more);
    assert.deepEqual(asked, []);
  }
  const { asked, desk, shown } = onlooker();
  desk.me.language = "pt-BR";
  shown({ assignee: "a2" });
  desk.me.language = "zh-Hans";
  shown({ assignee: null });
  shown({ assignee: "a1" });
  assert.deepEqual(asked, []);
  shown({ assignee: "a2" });
  assert.equal(asked.length, 1);
});
