/** @import {Me} from "./api.js" */
/** @import {Light} from "./transport.js" */
import { h, icon } from "../ui/dom.js";
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

/** What stands above every page: who I am, and whether I receive. */
export class Top {
  /**
   * @param {Me} me
   * @param {Light} light
   * @param {{language: () => void, out: () => void}} parts
   */
  constructor(me, light, { language, out }) {
    const leave = h("button", { type: "button", class: "plain small", "aria-label": say("logout"), title: say("logout"), onclick: out }, icon("leave"));
    const name = h("span", { class: "top-name" }, h("bdi", null, me.name));
    this.element = h("header", { class: "top" }, h("div", { class: "top-line" }, brand(), light.element, name, languageSwitch(language), leave));
  }
}
