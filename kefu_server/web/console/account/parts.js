import { h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/** @typedef {{secret: string, uri: string, qr: string}} Offer a key for an app, and its picture as SVG */

/** @returns {HTMLInputElement} where a code of an app, or a recovery code, is typed */
export function codeInput() {
  return h("input", { name: "code", required: true, maxLength: 40, autocomplete: "one-time-code", autocapitalize: "none", spellcheck: false, inputMode: "text" });
}

/** @returns {HTMLInputElement} */
export function newPasswordInput() {
  return h("input", { name: "new-password", type: "password", required: true, maxLength: 128, autocomplete: "new-password" });
}

/**
 * A key to take over into an app.
 * @param {Offer} offer
 * @returns {HTMLElement}
 */
export function offerView(offer) {
  const picture = h("img", { class: "qr", alt: tell("qr"), width: 196, height: 196, src: `data:image/svg+xml,${encodeURIComponent(offer.qr)}` });
  return h(
    "div",
    { class: "offer" },
    h("p", { class: "more" }, tell("scan")),
    picture,
    h("p", { class: "more" }, `${tell("key")}: `, h("code", { class: "secret" }, offer.secret)),
  );
}

/**
 * Recovery codes, which are seen this once.
 * @param {string[]} codes
 * @param {() => void} kept
 * @returns {HTMLElement}
 */
export function codesView(codes, kept) {
  return h(
    "div",
    { class: "offer", role: "status" },
    h("h2", null, tell("codesTitle")),
    h("p", { class: "more" }, tell("codesMore")),
    h("pre", { class: "snippet", tabIndex: 0 }, h("code", null, codes.join("\n"))),
    h("button", { type: "button", class: "primary", onclick: kept }, tell("codesKept")),
  );
}

const BROWSERS = [
  ["Edg/", "Edge"],
  ["MicroMessenger/", "WeChat"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
];
const SYSTEMS = [
  ["Windows", "Windows"],
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["HarmonyOS", "HarmonyOS"],
  ["OpenHarmony", "HarmonyOS"],
  ["Mac OS X", "macOS"],
  ["Linux", "Linux"],
];

/**
 * What a browser says it is, in two words; empty where it says nothing that is known.
 * @param {string} userAgent
 */
export function browserOf(userAgent) {
  const found = [BROWSERS, SYSTEMS].map((list) => list.find(([mark]) => userAgent.includes(mark))?.[1]);
  return found.filter(Boolean).join(" · ");
}
