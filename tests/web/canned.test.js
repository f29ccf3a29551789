import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyIn, languageIn } from "../../kefu_server/web/console/canned/texts.js";
import { PHRASES as CANNED } from "../../kefu_server/web/console/canned/phrases.js";
import { PHRASES as OTHERS } from "../../kefu_server/web/console/translation/others.js";

test("a reply is put in as its reader reads it, else as it is", () => {
  const row = { body: "您好", translations: { "pt-PT": "Olá", "pt-BR": "Oi", "zh-TW": "您好！" } };
  const bodies = ["pt-BR", "pt-PT", "pt-AO", "zh-Hant", "zh-CN", "en", "", "?"].map((language) => bodyIn(row, language));
  assert.deepEqual(bodies, ["Oi", "Olá", "Olá", "您好！", "您好", "您好", "您好", "您好"]);
});

test("what a visitor reads is what its conversation is translated from and to", () => {
  const text = (seq, sender) => ({ kind: "text", seq, sender });
  const translation = (ref, data) => ({ kind: "translation", seq: 90 + ref, sender: "system", ref, data });
  assert.equal(languageIn([]), "");
  assert.equal(languageIn([text(1, "v1")]), "");
  const theirs = [text(1, "v1"), translation(1, { from: "pt", to: "zh-CN" })];
  assert.equal(languageIn(theirs), "pt");
  const answered = [...theirs, text(3, "a1"), translation(3, { from: "zh-CN", to: "pt-BR" })];
  assert.equal(languageIn(answered), "pt-BR");
  assert.equal(languageIn([...answered, translation(3, { to: "en", failed: "later" })]), "pt-BR");
});

test("both languages have the same phrases", () => {
  const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  for (const phrases of [CANNED, OTHERS]) {
    assert.deepEqual(Object.keys(phrases["zh-CN"]).sort(), Object.keys(phrases.en).sort());
    for (const [phrase, text] of Object.entries(phrases.en)) assert.equal(names(phrases["zh-CN"][phrase]), names(text), phrase);
  }
});
