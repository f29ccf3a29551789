import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "../../kefu_server/web/console/history/archive.js";
import { cut, finderOf, markWords } from "../../kefu_server/web/console/history/marks.js";
import { Pages } from "../../kefu_server/web/console/history/pages.js";
import { PHRASES } from "../../kefu_server/web/console/history/phrases.js";
import {
  filterCount, filterParams, isSameList, NOWHERE, readPlace, startOfDay, writePlace,
} from "../../kefu_server/web/console/history/place.js";
import { Results, stateOf } from "../../kefu_server/web/console/history/results.js";

const place = (more = {}) => ({ ...NOWHERE, ...more });
const row = (id, more = {}) => ({
  id, site_id: 1, visitor: `v${id}`, visitor_name: "V", status: "closed", last_seq: 9, last_at: 100 + id,
  last_line: `line ${id}`, last_sender: "a1", opened_at: 1, labels: [], ...more,
});

// -- where one is ---------------------------------------------------------------------

test("a place survives the way through the URL", () => {
  const full = place({
    text: "发货 & <b>#?", site: "5", agent: "a7", visitor: "v12", status: "closed", label: "退款=", from: "2026-11-01",
    to: "2026-11-30", order: "relevance", conversation: 9007199254740991, seq: 12,
  });
  assert.deepEqual(readPlace(writePlace(full)), full);
  assert.deepEqual(readPlace(writePlace(NOWHERE)), place());
  assert.equal(writePlace(NOWHERE), "#/history");
});

test("what is not of the history is no place in it", () => {
  for (const hash of ["", "#", "#/", "#/historyx", "#history", "#/chat?c=1"]) assert.equal(readPlace(hash), null, hash);
});

test("rubbish in the URL is left out", () => {
  const read = readPlace("#/history?c=1e3&m=-1&from=2026-13-45&to=yesterday&order=oldest&x=1");
  assert.deepEqual(read, place());
  assert.equal(readPlace("#/history?m=5").seq, null, "no message without a conversation");
  assert.equal(readPlace("#/history?c=99999999999999999999").conversation, null);
});

test("days become the moments at which they begin here, the last one is whole", () => {
  const params = filterParams(place({ from: "2026-03-29", to: "2026-03-29", site: "3" }));
  const from = new Date(2026, 2, 29).getTime();
  assert.deepEqual(Object.fromEntries(params), {
    site: "3", from: String(from), before: String(new Date(2026, 2, 30).getTime()),
  });
  assert.equal(startOfDay("1900-01-01"), 0, "the server knows no earlier one");
});

test("only the order of a search makes another list", () => {
  const relevance = { order: "relevance" };
  assert.ok(isSameList(place({ conversation: 1 }), place({ conversation: 2, seq: 3 })));
  assert.ok(isSameList(place(), place(relevance)));
  assert.ok(!isSameList(place({ text: "x" }), place({ text: "x", ...relevance })));
  assert.ok(!isSameList(place(), place({ label: "x" })));
  assert.equal(filterCount(place({ text: "x", site: "1", to: "2026-01-01" })), 2);
});

// -- marks ----------------------------------------------------------------------------

test("a snippet is cut by whole characters, also behind an emoji", () => {
  assert.deepEqual(cut("👩‍👧 何时发货", [[6, 8]]).filter((p) => p.isMark), [{ text: "发货", isMark: true }]);
  assert.deepEqual(cut("ab", [[0, 1], [1, 2]]).map((p) => p.text), ["a", "b"]);
  assert.deepEqual(cut("ab", []), [{ text: "ab", isMark: false }]);
  assert.deepEqual(cut("", []), []);
  assert.equal(cut("abc", [[1, 99]]).map((p) => p.text).join(""), "abc", "nothing is invented");
});

test("words are marked whole, Chinese as written, whatever their case", () => {
  const marked = (text, body, found = []) => markWords(body, finderOf(text, found)).filter((p) => p.isMark).map((p) => p.text);
  assert.deepEqual(marked("tea", "Tea? steam TEA teapot"), ["Tea", "TEA"]);
  assert.deepEqual(marked("发货", "何时发货？已发货。"), ["发货", "发货"]);
  assert.deepEqual(marked("iphone发货", "iPhone 今天发货", ["iPhone", "发货"]), ["iPhone", "发货"]);
  assert.deepEqual(marked("", "anything"), []);
});

test("what looks like a pattern is text", () => {
  for (const text of ["(a|b)*", "[", "\\", ".*", "$^", "a{2}", "/-"]) {
    const pieces = markWords(`x ${text} y`, finderOf(text, []));
    assert.deepEqual(pieces.filter((p) => p.isMark).map((p) => p.text), [text]);
    assert.equal(pieces.map((p) => p.text).join(""), `x ${text} y`);
  }
});

// -- lists ----------------------------------------------------------------------------

/** An archive whose answers the test gives. */
function archive() {
  const asked = [];
  const ask = (path, params, signal) =>
    new Promise((answer, refuse) => asked.push({ path, params: Object.fromEntries(params), signal, answer, refuse }));
  return { asked, ask };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const rows = (ids, next = null) => ({ conversations: ids.map((id) => row(id)), next, is_complete: true, names: {} });

test("a list is read a page at a time, and nothing stands in it twice", async () => {
  const { asked, ask } = archive();
  const results = new Results(ask, () => {}, () => {});
  void results.load(place({ status: "closed" }));
  assert.equal(results.state, "loading");
  asked[0].answer(rows([3, 2], "cursor"));
  await turn();
  void results.more();
  void results.more();
  assert.equal(asked.length, 2, "one page at a time");
  assert.equal(asked[1].params.cursor, "cursor");
  assert.equal(asked[1].params.status, "closed");
  asked[1].answer(rows([2, 1]));
  await turn();
  assert.deepEqual(results.all.map((r) => r.row.id), [3, 2, 1]);
  await results.more();
  assert.equal(asked.length, 2, "there is no more");
});

test("the answer to what is not wanted any more is not shown", async () => {
  const { asked, ask } = archive();
  const results = new Results(ask, () => {}, () => {});
  void results.load(place({ text: "first" }));
  void results.load(place({ text: "second", order: "grouped" }));
  assert.ok(asked[0].signal.aborted);
  assert.deepEqual([asked[0].path, asked[1].path], ["search", "conversations"]);
  asked[1].answer({ ...rows([7]), conversations: [row(7, { seq: 4, snippet: "second", marks: [[0, 6]] })] });
  asked[0].answer({ hits: [], next: null, is_complete: true, behind: { messages: 0 }, names: {} });
  await turn();
  assert.deepEqual(results.all.map(({ key, seq, snippet }) => [key, seq, snippet]), [["7", 4, "second"]]);
});

test("hits tell whose they are, how far the index is and that the time was up", async () => {
  const { asked, ask } = archive();
  const named = [];
  const results = new Results(ask, () => {}, (names) => named.push(names));
  void results.load(place({ text: "茶叶", order: "relevance" }));
  assert.deepEqual([asked[0].params.q, asked[0].params.order], ["茶叶", "relevance"]);
  const hit = { conversation: row(1), seq: 5, sender: "v1", kind: "text", at: 50, snippet: "茶叶", marks: [[0, 2]] };
  asked[0].answer({ hits: [hit], next: null, is_complete: false, behind: { messages: 12 }, names: { v1: "林" } });
  await turn();
  assert.deepEqual([results.all[0].key, results.all[0].at], ["1.5", 50]);
  assert.deepEqual([results.isComplete, results.behind], [false, 12]);
  assert.deepEqual(named, [{ v1: "林" }]);
});

test("a page that failed is asked for again, and what was there stays", async () => {
  const { asked, ask } = archive();
  const results = new Results(ask, () => {}, () => {});
  void results.load(place());
  asked[0].answer(rows([2], "next"));
  await turn();
  void results.more();
  asked[1].refuse(new TypeError("network"));
  await turn();
  assert.equal(results.state, "away");
  void results.more();
  assert.equal(asked[2].params.cursor, "next");
  asked[2].answer(rows([1]));
  await turn();
  assert.deepEqual([results.state, results.all.length], ["idle", 2]);
});

test("refusals are told apart", () => {
  const states = { unauthorized: "out", bad_request: "wrong", rate_limited: "busy", busy: "busy", internal: "away" };
  for (const [code, state] of Object.entries(states)) assert.equal(stateOf(new Refused(code, "")), state);
  assert.equal(stateOf(new TypeError("fetch failed")), "away");
});

// -- the reader -----------------------------------------------------------------------

const message = (seq) => ({ seq, sender: "v1", kind: "text", at: seq, body: `m${seq}`, data: null });

/** A log of `count` messages that answers as the server does. */
function logOf(count) {
  const all = Array.from({ length: count }, (_, i) => message(i + 1));
  const asked = [];
  return {
    asked,
    add: () => all.push(message(++count)),
    ask: async (path, params) => {
      asked.push([path, String(params)]);
      const limit = Number(params.get("limit"));
      let from = count - limit;
      if (params.has("before")) from = Number(params.get("before")) - 1 - limit;
      const around = params.has("around") ? Number(params.get("around")) - 1 - limit / 2 : null;
      const after = params.has("after") ? Number(params.get("after")) : params.has("at") ? Number(params.get("at")) - 1 : around;
      const found = after === null ? all.slice(Math.max(0, from), Math.max(0, from + limit)) : all.slice(Math.max(0, after), Math.max(0, after) + limit);
      const has = { has_older: found[0]?.seq > 1, has_newer: found.at(-1)?.seq < count };
      return { conversation: row(1), messages: found, ...has, names: {} };
    },
  };
}

test("a conversation is read from a hit in both directions, without a hole", async () => {
  const { ask } = logOf(300);
  const pages = new Pages(ask, () => {}, () => {});
  await pages.open(1, { around: 150 });
  assert.ok(pages.hasOlder && pages.hasNewer);
  while (pages.hasOlder) await pages.older();
  while (pages.hasNewer) await pages.newer();
  assert.deepEqual(pages.lines().map((line) => line.seq), Array.from({ length: 300 }, (_, i) => i + 1));
  assert.deepEqual([pages.lines()[0].key, pages.state], ["#1", "idle"]);
});

test("without a hit the newest is shown, and a day after the last message is the end too", async () => {
  const { ask, asked } = logOf(120);
  const pages = new Pages(ask, () => {}, () => {});
  await pages.open(1);
  assert.deepEqual([pages.messages[0].seq, pages.messages.at(-1).seq, pages.hasNewer], [71, 120, false]);
  await pages.open(1, { at: 100 });
  assert.equal(pages.messages[0].seq, 100);
  await pages.open(1, { at: 999 });
  assert.equal(pages.messages.at(-1).seq, 120);
  assert.equal(asked.length, 4);
});

test("a page that failed is asked for once more, and what is held stays", async () => {
  const { ask } = logOf(120);
  let isAway = false;
  const pages = new Pages((...asked) => (isAway ? Promise.reject(new TypeError("network")) : ask(...asked)), () => {}, () => {});
  await pages.open(1);
  isAway = true;
  await pages.older();
  assert.deepEqual([pages.state, pages.messages.length], ["away", 50]);
  isAway = false;
  await pages.again();
  assert.deepEqual([pages.state, pages.messages[0].seq, pages.messages.length], ["idle", 21, 100]);
});

test("a line about labels is read when it has been stored", async () => {
  const log = logOf(60);
  const pages = new Pages(log.ask, () => {}, () => {});
  await pages.open(1);
  log.add();
  pages.labelled(["vip"]);
  await turn();
  assert.deepEqual([pages.messages.at(-1).seq, pages.hasNewer], [61, false]);
});

test("a page of a conversation that was left does not get into the next", async () => {
  const { asked, ask } = archive();
  const pages = new Pages(ask, () => {}, () => {});
  void pages.open(1);
  void pages.open(2);
  asked[1].answer({ conversation: row(2), messages: [message(8)], has_older: true, has_newer: false, names: {} });
  asked[0].answer({ conversation: row(1), messages: [message(1)], has_older: false, has_newer: false, names: {} });
  await turn();
  assert.deepEqual([pages.row.id, pages.messages.map((m) => m.seq)], [2, [8]]);
});

test("one goes from hit to hit in the order of the conversation", async () => {
  const { asked, ask } = archive();
  const pages = new Pages(ask, () => {}, () => {});
  void pages.open(1, { around: 5 });
  void pages.find("发货");
  const hit = (seq) => ({ conversation: row(1), seq, snippet: "已发货了", marks: [[1, 3]] });
  asked[1].answer({ hits: [hit(40), hit(5), hit(12)], next: "more", is_complete: true, behind: { messages: 0 }, names: {} });
  await turn();
  assert.deepEqual([pages.hits, pages.words, pages.hasMoreHits], [[5, 12, 40], ["发货"], true]);
  assert.deepEqual([pages.hitFrom(5, 1), pages.hitFrom(5, -1), pages.hitFrom(99, -1), pages.hitFrom(0, 1)], [12, null, 40, 5]);
  void pages.open(1, { around: 40 });
  assert.deepEqual(pages.hits, [5, 12, 40], "another part of the same conversation keeps them");
  void pages.open(2);
  assert.deepEqual(pages.hits, []);
});

test("hits that come after another text was looked for are not taken", async () => {
  const { asked, ask } = archive();
  const pages = new Pages(ask, () => {}, () => {});
  void pages.open(1);
  void pages.find("old");
  void pages.find("new");
  asked[2].answer({ hits: [], next: null, names: {} });
  asked[1].answer({ hits: [{ seq: 1, snippet: "old", marks: [] }], next: null, names: {} });
  await turn();
  assert.deepEqual(pages.hits, []);
});

test("the history speaks both languages", () => {
  const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  assert.deepEqual(Object.keys(PHRASES["zh-CN"]).sort(), Object.keys(PHRASES.en).sort());
  for (const [phrase, text] of Object.entries(PHRASES.en)) assert.equal(names(PHRASES["zh-CN"][phrase]), names(text), phrase);
});
