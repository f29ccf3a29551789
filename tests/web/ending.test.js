import assert from "node:assert/strict";
import { test } from "node:test";
import { endingOf } from "../../kefu_server/web/widget/ending.js";

const line = (sender, kind, data) => ({ key: kind, seq: 1, at: 1, body: "", sender, kind, data });

test("a conversation that goes on can be ended, whatever was taken back", () => {
  assert.equal(endingOf([]).isBegun, false);
  assert.equal(endingOf([line("s0", "auto")]).isBegun, false);
  assert.equal(endingOf([line("v1", "text")]).isBegun, true);
  assert.equal(endingOf([line("v1", "erased", { was: "text" }), line("a1", "assignment")]).isBegun, true);
});

test("an end is rated once, and a new question leaves it behind", () => {
  const closed = [line("v1", "text"), line("a1", "text"), line("a1", "close")];
  const rated = [...closed, line("v1", "rating", { score: 4 })];
  assert.deepEqual([endingOf(closed).isAnswered, endingOf(closed).isBegun], [true, false]);
  assert.equal(endingOf(closed).rating, null);
  assert.equal(endingOf(rated).rating?.data.score, 4);
  const again = endingOf([...rated, line("v1", "text")]);
  assert.deepEqual([again.close, again.rating, again.isBegun], [null, null, true]);
});
