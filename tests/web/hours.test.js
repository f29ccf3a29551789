import assert from "node:assert/strict";
import { test } from "node:test";
import { holidaysIn, holidaysText, spansIn, spansText } from "../../kefu_server/web/console/talk/hours.js";

test("times are read as they are written, and in other hands too", () => {
  const day = [{ opens: 540, closes: 720 }, { opens: 780, closes: 1080 }];
  assert.deepEqual(spansIn("09:00-12:00, 13:00-18:00"), day);
  assert.deepEqual(spansIn("9:00～12:00，13：00至18:00"), day);
  assert.equal(spansText(day), "09:00-12:00, 13:00-18:00");
  assert.deepEqual(spansIn("22:00-06:00"), [{ opens: 1320, closes: 360 }]);
  assert.deepEqual(spansIn("00:00-24:00"), [{ opens: 0, closes: 1440 }]);
  assert.deepEqual(spansIn(" "), []);
  for (const wrong of ["nine", "9-17", "25:00-26:00", "09:61-10:00", "09:00-24:30"]) assert.equal(spansIn(wrong), null, wrong);
});

test("a holiday is a day, times if it is open, and a name", () => {
  const all = [
    { day: "2026-10-01", name: "国庆节", spans: [] },
    { day: "2026-12-24", name: "Christmas Eve", spans: [{ opens: 540, closes: 720 }, { opens: 780, closes: 840 }] },
    { day: "2026-12-25", name: "", spans: [] },
  ];
  const text = "2026-10-01 国庆节\n\n2026-12-24 09:00-12:00, 13:00-14:00 Christmas Eve\n2026-12-25";
  assert.deepEqual(holidaysIn(text), all);
  assert.deepEqual(holidaysIn(holidaysText(all)), all);
  assert.equal(holidaysIn("Christmas"), null);
});
