/** @import {Item, Translation} from "./items.js" */
import { h } from "./dom.js";
import { t } from "./i18n.js";

/** @param {Item["line"]} line @param {boolean} isMine @returns {boolean} the text stays as it is, its translation is what others read */
const isOthers = ({ translation }, isMine) => !(translation?.isRead ?? !isMine);

/**
 * What somebody reads of a text.
 * @param {Translation[]} all its translations
 * @param {string[]} wanted languages, the reader's own first
 * @param {(one: string, other: string) => boolean} areSame
 * @returns {Translation | undefined} none: the text itself, or nothing else is there
 */
export function bestOf(all, wanted, areSame) {
  const into = (/** @type {string} */ tag) => all.filter(({ data }) => areSame(String(data.to ?? ""), tag));
  const done = (/** @type {string} */ tag) => into(tag).find(({ body }) => body);
  const [own] = wanted;
  if (done(own)) return done(own);
  if (all.some(({ data }) => areSame(String(data.from ?? ""), own))) return undefined;
  return wanted.map(done).find(Boolean) ?? wanted.flatMap(into)[0];
}

/** @param {Translation[]} all @returns {Translation | undefined} what the visitor reads of an agent's text */
export const visitorsOf = (all) => all.filter(({ data }) => data.for !== "agents").at(-1);

/** What of a message is read in another language, and how the original is reached. */
export class Reading {
  constructor() {
    /** @type {Set<string>} keys of messages that show the other text */
    this.others = new Set();
    /** Translations are switched off: what was written is shown first. */
    this.isOff = false;
  }

  /** @param {string} key @returns {boolean} what was written is shown */
  shows(key) {
    return this.others.has(key) !== this.isOff;
  }

  /**
   * @param {Item["line"]} line
   * @param {boolean} isMine
   * @returns {boolean} something is said of its translation
   */
  tells(line, isMine) {
    const { translation } = line;
    return Boolean(translation && (translation.body || !(isOthers(line, isMine) || this.isOff)));
  }

  /**
   * @param {Item["line"]} line
   * @param {boolean} isMine one's own words stay as they are
   * @returns {(Node | string)[] | null} null: as it was written
   */
  body(line, isMine) {
    const body = line.translation?.body;
    if (!body || isOthers(line, isMine)) return null;
    // Both are there, so that a click needs no drawing; one is hidden.
    const shows = this.shows(line.key);
    return [
      h("span", { class: "translated", dir: "auto", hidden: shows, lang: String(line.translation?.data.to ?? "") }, body),
      h("span", { class: "original", dir: "auto", hidden: !shows }, line.body),
    ];
  }

  /**
   * @param {Item["line"]} line
   * @param {boolean} isMine
   * @returns {Node | null} what stands below: languages and service, and the way to the other text
   */
  mark(line, isMine) {
    const { translation, key } = line;
    if (!translation) return null;
    const { data, body } = translation;
    isMine = isOthers(line, isMine);
    if (!body) return isMine || this.isOff ? null : h("span", { class: "translation failed" }, t("untranslated"));
    const what = t("translatedBy", { from: nameOf(data.from) || "?", to: nameOf(data.to), by: data.by === "glossary" ? t("glossary") : data.by === "agent" ? t("agent") : String(data.by ?? "") });
    const button = h("button", { type: "button", class: "link translation", title: what, "aria-label": `${t(isMine ? "showTranslation" : "showOriginal")} (${what})`, onclick: () => press() }, "");
    const label = () => (button.textContent = t(isMine ? "showTranslation" : this.shows(key) ? "showAsTranslated" : "showOriginal"));
    const below = h("div", { class: "earlier", dir: "auto" }, body);
    const press = () => {
      if (isMine) return below.isConnected ? below.remove() : button.after(below);
      if (!this.others.delete(key)) this.others.add(key);
      const shows = this.shows(key);
      for (const [name, hidden] of /** @type {const} */ ([["translated", shows], ["original", !shows]])) {
        const part = button.closest(".message")?.querySelector(`.${name}`);
        if (part instanceof HTMLElement) part.hidden = hidden;
      }
      label();
    };
    label();
    return h("span", null, button);
  }
}

/** @param {unknown} tag @returns {string} what a language is called in the page's own */
export function nameOf(tag) {
  try {
    return new Intl.DisplayNames([document.documentElement.lang || "en"], { type: "language" }).of(String(tag)) ?? "";
  } catch {
    return String(tag ?? "");
  }
}
