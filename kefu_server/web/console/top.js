/** @import {Me} from "./api.js" */
/** @import {Light} from "./transport.js" */
import { fill, h, icon } from "../ui/dom.js";
import { getLocale, setLocale, t } from "../ui/i18n.js";
import { say } from "./phrases.js";

const LOCALE = "kefu.locale";

/** @returns {string | null} the language chosen before */
export function rememberedLocale() {
  try {
    return localStorage.getItem(LOCALE);
  } catch {
    return null;
  }
}

/** @param {() => void} changed */
export function languageSwitch(changed) {
  return h("button", {
    type: "button",
    class: "plain small",
    "aria-label": t("language"),
    title: t("language"),
    onclick: async () => {
      await setLocale(getLocale() === "en" ? "zh-CN" : "en");
      try {
        localStorage.setItem(LOCALE, getLocale());
      } catch {
        // The choice then lasts until the reload.
      }
      changed();
    },
  }, t("languageShort"));
}

/** @returns {HTMLElement} */
export function brand() {
  return h("div", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }, "k"), "kefu");
}

/** What stands above every page: who I am, whether I receive, and the way to the others. */
export class Top {
  /**
   * @param {Me} me
   * @param {Light} light
   * @param {{language: () => void, out: () => void}} parts
   */
  constructor(me, light, { language, out }) {
    const leave = h("button", { type: "button", class: "plain small", "aria-label": say("logout"), title: say("logout"), onclick: out }, icon("leave"));
    const name = h("span", { class: "top-name" }, h("bdi", null, me.name));
    this.chat = h("a", { href: "#/" });
    this.history = h("a", { href: "#/history" }, say("historyPage"));
    const pages = h("nav", { class: "pages", "aria-label": say("pages") }, this.chat, this.history);
    this.element = h("header", { class: "top" }, h("div", { class: "top-line" }, brand(), light.element, name, languageSwitch(language), leave), pages);
  }

  /**
   * @param {boolean} isHistory which of the two pages is shown
   * @param {string} place where the history was left
   * @param {number} unread
   */
  show(isHistory, place, unread) {
    const mark = String(unread);
    if (this.chat.dataset.mark !== mark) {
      this.chat.dataset.mark = mark;
      fill(this.chat, t("conversations"), unread > 0 && h("span", { class: "badge", "aria-label": t("unread", { count: unread }) }, mark));
    }
    this.history.hash = place;
    for (const [link, isHere] of /** @type {const} */ ([[this.chat, !isHistory], [this.history, isHistory]])) {
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
}
