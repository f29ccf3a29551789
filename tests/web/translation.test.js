import assert from "node:assert/strict";
import { test } from "node:test";
import { allOf, fitting, PAGE } from "../../kefu_server/web/console/translation/entries.js";
import { PHRASES } from "../../kefu_server/web/console/translation/phrases.js";
import { PHRASES as FIGURES, cellsOf, leftOf } from "../../kefu_server/web/console/translation/figures.js";
import { PHRASES as PREVIEW } from "../../kefu_server/web/console/translation/preview.js";
import { PHRASES as SWITCH } from "../../kefu_server/web/console/translation/switch.js";
import { PHRASES as RULES } from "../../kefu_server/web/console/translation/rules.js";

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
