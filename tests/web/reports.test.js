import assert from "node:assert/strict";
import { test } from "node:test";
import { daysTo, scaleTo, shortDay } from "../../kefu_server/web/console/reports/figures.js";

test("days follow each other over the ends of months and years", () => {
  assert.deepEqual(daysTo(new Date(2026, 0, 2), 4), [20251230, 20251231, 20260101, 20260102]);
  assert.deepEqual(daysTo(new Date(2024, 2, 1), 2), [20240229, 20240301]);
});

test("a day is short on an axis", () => {
  assert.equal(shortDay(20260105), "1/5");
});

test("a scale has whole steps and room for the most", () => {
  for (const most of [1, 4, 5, 13, 39, 99, 101, 250, 7_777, 123_456]) {
    assert.ok(scaleTo(most) >= most);
    assert.equal(scaleTo(most) % 4, 0);
    assert.ok(scaleTo(most) <= 2.5 * Math.max(most, 4), `${most} fills the picture`);
  }
});
