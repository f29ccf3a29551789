import assert from "node:assert/strict";
import { test } from "node:test";
import { filtered, sorted } from "../../kefu_server/web/console/visitors/order.js";
import { VisitorToken } from "../../kefu_server/web/widget/visitor.js";

const visit = (/** @type {number} */ id, /** @type {any} */ more = {}) => ({
  id, site_id: 1, url: "https://shop.example/tea", title: "Tea", source: "", browser: "Chrome", language: "en",
  since: id, at: id, pages: 1, status: "", place: null, name: `visitor ${id}`, ...more,
});
const ids = (/** @type {any[]} */ visits) => visits.map(({ id }) => id);

test("who waits stands above who talks, and among equals who came first", () => {
  const visits = [visit(4), visit(2), visit(3, { status: "active" }), visit(9, { status: "queued", place: 1 }), visit(8, { status: "queued", place: 2 })];
  assert.deepEqual(ids(sorted(visits, { by: "visitor", isDown: false })), [9, 8, 3, 2, 4]);
});

test("a row moves only when what it is sorted by has changed", () => {
  const visits = [visit(1, { pages: 3 }), visit(2, { pages: 5 }), visit(3, { pages: 3 })];
  const order = { by: /** @type {const} */ ("pages"), isDown: true };
  assert.deepEqual(ids(sorted(visits, order)), [2, 1, 3]);
  const later = visits.map((each) => ({ ...each, at: 99, url: "https://shop.example/b" })).reverse();
  assert.deepEqual(ids(sorted(later, order)), [2, 1, 3]);
});

test("visitors are found by all words, and by site", () => {
  const visits = [visit(1, { title: "Green TEA" }), visit(2, { site_id: 2 }), visit(3, { source: "news.example" })];
  const found = (/** @type {number} */ site, /** @type {string} */ text) => ids(filtered(/** @type {any} */ (visits), { site, text }, ({ name }) => name));
  assert.deepEqual(found(0, " green  tea"), [1]);
  assert.deepEqual(found(2, ""), [2]);
  assert.deepEqual(found(0, "news"), [3]);
  assert.deepEqual(found(0, "visitor 2"), [2]);
});

test("two frames ask for one token, and a browser without locks asks all the same", async () => {
  const was = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const pretend = (/** @type {any} */ locks) => Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  const denied = { request: async () => Promise.reject(new Error("denied in this context")) };
  const granted = { request: async (/** @type {string} */ _, /** @type {() => any} */ work) => work() };
  try {
    for (const locks of [undefined, denied, granted]) {
      pretend(locks);
      let count = 0;
      assert.equal(await new VisitorToken("shop").alone(async () => (count += 1)), 1);
    }
    // What fails inside is not done twice.
    let tries = 0;
    await assert.rejects(new VisitorToken("shop").alone(async () => Promise.reject(new Error(`${(tries += 1)}`))));
    assert.equal(tries, 1);
  } finally {
    if (was) Object.defineProperty(globalThis, "navigator", was);
    else delete (/** @type {any} */ (globalThis).navigator);
  }
});

test("a token of another tab is taken over; somebody else's begins the page anew", () => {
  const token = (/** @type {number} */ id) => `x.${Buffer.from(JSON.stringify({ sub: String(id), text: "??>>~~" })).toString("base64url")}.y`;
  const visitor = new VisitorToken("shop");
  /** @type {boolean[]} */
  const replaced = [];
  visitor.replaced = (isForgotten) => void replaced.push(isForgotten);
  visitor.heard(token(7));
  assert.deepEqual([visitor.token, replaced], [token(7), []]);
  visitor.id = "v7";
  visitor.heard(token(7));
  assert.deepEqual(replaced, []);
  visitor.heard(token(8));
  assert.deepEqual([visitor.token, replaced], [token(8), [false]]);
  visitor.heard(null);
  assert.deepEqual([visitor.token, replaced], ["", [false, true]]);
  // A page that says itself who this is goes on with that.
  Object.assign(visitor, { token: "mine", identity: { token: "signed" } });
  visitor.heard(token(9));
  assert.deepEqual([visitor.token, replaced.length], ["mine", 2]);
  // So does one that is about to begin anew.
  Object.assign(visitor, { token: "", identity: null, isForgotten: true });
  visitor.heard(token(9));
  assert.equal(visitor.token, "");
});
