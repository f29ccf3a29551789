/** @import {Desk} from "./desk.js" */
/** @import {Light} from "./transport.js" */
import { h, icon } from "../ui/dom.js";
import { getLocale, setLocale, t } from "../ui/i18n.js";
import { say } from "./phrases.js";
import { StatusMenu } from "./routing/status.js";

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

/** What stands above every page: who I am, what I am for others, whether I receive. */
export class Top {
  /**
   * @param {Desk} desk
   * @param {Light} light
   * @param {{language: () => void, out: () => void}} parts
   */
  constructor(desk, light, { language, out }) {
    const leave = h("button", { type: "button", class: "plain small", "aria-label": say("logout"), title: say("logout"), onclick: out }, icon("leave"));
    this.status = new StatusMenu(desk);
    this.element = h("header", { class: "top" }, h("div", { class: "top-line" }, brand(), light.element, this.status.element, languageSwitch(language), leave));
  }
  show() {
    this.status.show();
  }
}
