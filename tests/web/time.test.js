import assert from "node:assert/strict";
import { test } from "node:test";
import { setLocale } from "../../kefu_server/web/ui/i18n.js";
import { span } from "../../kefu_server/web/ui/time.js";

test("how long is told in minutes, hours and days, in the reader's words", async () => {
  globalThis.document ??= { documentElement: {} };
  const hour = 3_600_000;
  await setLocale("en");
  assert.deepEqual([0, 185_000, 2.9 * hour, 49 * hour].map(span), ["0:00", "3:05", "2h", "2d"]);
  await setLocale("zh-CN");
  assert.deepEqual([185_000, 2 * hour, 49 * hour].map(span), ["3:05", "2小时", "2天"]);
});
