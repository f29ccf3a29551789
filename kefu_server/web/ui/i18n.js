/** @typedef {typeof import("./locales/en.js").default} Phrases */
/** @typedef {keyof Phrases} Phrase */
/** @typedef {Record<string, string | number>} Values */

let current = "";
/** @type {Phrases} */
let phrases;

/**
 * @param {string | null | undefined} wanted such as `en-GB` or `zh_TW`
 * @returns {string} the locale that comes nearest
 */
export function nearest(wanted) {
  return /^zh/i.test(wanted || "zh") ? "zh-CN" : "en";
}

/**
 * Load a language; only the one that is used is fetched.
 * @param {string} locale
 */
export async function setLocale(locale) {
  const wanted = nearest(locale);
  const { default: loaded } =
    wanted === "en" ? await import("./locales/en.js") : await import("./locales/zh-CN.js");
  current = wanted;
  phrases = loaded;
  document.documentElement.lang = current;
}

/** @returns {string} */
export function getLocale() {
  return current;
}

/**
 * @param {Phrase} phrase
 * @param {Values} [values]
 * @returns {string}
 */
export function t(phrase, values = {}) {
  return filled(phrases[phrase], values);
}

/**
 * @param {string} text
 * @param {Values} values put in place of `{name}`
 * @returns {string}
 */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}
