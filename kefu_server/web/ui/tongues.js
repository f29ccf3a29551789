import { h } from "./dom.js";

/** What most people who write to shops, or for them, read. Sites add their own. */
const COMMON = ["zh-CN", "zh-TW", "en", "es", "pt-BR", "fr", "de", "it", "nl", "pl", "ru", "uk", "tr", "ar", "fa", "hi", "ja", "ko", "vi", "th", "id", "ms"];

/** @param {string} tag @returns {string} what a language is called by those who speak it; the tag where nobody knows */
export function ownName(tag) {
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** @param {string} tag @returns {string} the same for those who read each other */
function readAs(tag) {
  try {
    const { language, script } = new Intl.Locale(tag).maximize();
    return `${language}-${script}`;
  } catch {
    return "";
  }
}

/**
 * @param {string[]} first those that come first
 * @returns {string[]} each language once, in the words in which it was named first
 */
export function tonguesOf(first) {
  const found = new Map();
  for (const tag of [...first, ...COMMON]) if (readAs(tag) && !found.has(readAs(tag))) found.set(readAs(tag), tag);
  return [...found.values()];
}

/**
 * A language to be chosen, each in its own name.
 * @param {{none: string, value: string, first?: string[], props?: Record<string, any>}} parts none: what it is called to choose none
 * @returns {HTMLSelectElement}
 */
export function tongueSelect({ none, value, first = [], props = {} }) {
  // What somebody has chosen stays chosen, however rare it is.
  const tags = tonguesOf([value, ...first].filter(Boolean));
  const select = h("select", props, h("option", { value: "" }, none), ...tags.map((tag) => h("option", { value: tag, lang: tag }, ownName(tag))));
  select.value = value;
  return select;
}
