import en from "./locales/en.js";
import zhCN from "./locales/zh-CN.js";

/** @typedef {keyof typeof en} Phrase */

/** @type {Record<string, Record<Phrase, string>>} */
const LOCALES = { en, "zh-CN": zhCN };

let current = "zh-CN";
let phrases = zhCN;

/**
 * @param {string | null | undefined} wanted such as `en-GB` or `zh_TW`
 * @returns {string} the locale that comes nearest
 */
export function nearest(wanted) {
  return /^zh/i.test(wanted || "zh") ? "zh-CN" : "en";
}

/** @param {string} locale */
export function setLocale(locale) {
  current = nearest(locale);
  phrases = /** @type {typeof zhCN} */ (LOCALES[current]);
  document.documentElement.lang = current;
}

/** @returns {string} */
export function getLocale() {
  return current;
}

/**
 * @param {Phrase} phrase
 * @param {Record<string, string | number>} [values] put in place of `{name}`
 * @returns {string}
 */
export function t(phrase, values = {}) {
  return phrases[phrase].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}
