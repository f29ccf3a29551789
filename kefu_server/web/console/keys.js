import { h } from "../ui/dom.js";
import { say } from "./phrases.js";

/**
 * @typedef {object} Acts what keys do
 * @property {(step: number) => void} move to the next row, or the one before
 * @property {(step: 1 | -1) => void} hit to the next hit in the history
 * @property {() => void} note write a note instead of a reply, or the other way round
 * @property {() => void} preview see how the visitor will read the draft
 * @property {() => void} escape
 */

/** @type {[string, Parameters<typeof say>[0]][]} keys and what they do, as the sheet shows them */
const SHEET = [
  ["Alt+J / Alt+K", "keyMove"],
  ["Enter", "keySend"],
  ["Shift+Enter", "keyLine"],
  ["/", "keyCanned"],
  ["Alt+N", "keyNote"],
  ["Alt+T", "keyPreview"],
  ["↑", "keyEdit"],
  ["Alt+↑ / Alt+↓", "keyHit"],
  ["Esc", "keyLeave"],
  ["?", "keyHelp"],
];

/** @param {Acts} acts */
export function listen(acts) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    // On some keyboards Alt changes the letter, so the key's place is asked for.
    if (event.altKey && (event.code === "KeyJ" || event.code === "KeyK")) acts.move(event.code === "KeyJ" ? 1 : -1);
    else if (event.altKey && event.code === "KeyN") acts.note();
    else if (event.altKey && event.code === "KeyT") acts.preview();
    else if (event.altKey && /^Arrow(Up|Down)$/.test(event.key)) acts.hit(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "?" && !isWriting(event.target)) help();
    else {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) acts.escape();
      return;
    }
    event.preventDefault();
  });
}

/** @param {EventTarget | null} target */
function isWriting(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Show what the keys do. */
export function help() {
  const rows = SHEET.map(([keys, does]) => h("div", null, h("dt", null, h("kbd", null, keys)), h("dd", null, say(does))));
  const close = h("button", { type: "button", class: "primary", onclick: () => sheet.close() }, say("close"));
  const sheet = h("dialog", { class: "sheet", "aria-label": say("keys"), onclose: () => sheet.remove() }, h("h2", null, say("keys")), h("dl", null, ...rows), close);
  document.body.append(sheet);
  sheet.showModal();
}
