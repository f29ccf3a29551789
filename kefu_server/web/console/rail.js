/** @import {Me} from "./api.js" */
/** @import {Desk} from "./desk.js" */
import { fill, h, icon } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { PAGES } from "./pages.js";
import { say } from "./phrases.js";

/** The way to every page: a column at the side, on a phone a row below. */
export class Rail {
  /** @param {Me} me */
  constructor(me) {
    const others = PAGES.filter((page) => page.isFor?.(me) ?? true);
    const links = [
      { name: "chat", icon: "chats", title: say("chatPage"), hash: "#/" },
      { name: "history", icon: "clock", title: say("historyPage"), hash: "#/history" },
      ...others.map((page) => ({ name: page.name, icon: page.icon, title: page.title(), hash: `#/${page.name}` })),
    ];
    this.others = others;
    /** @type {Map<string, {link: HTMLAnchorElement, badge: HTMLElement}>} */
    this.links = new Map();
    for (const each of links) {
      const badge = h("span", { class: "badge", hidden: true });
      const link = h("a", { href: each.hash, title: each.title }, icon(each.icon), h("span", { class: "rail-text" }, each.title), badge);
      this.links.set(each.name, { link, badge });
    }
    this.element = h("nav", { class: "rail", "aria-label": say("pages") }, ...[...this.links.values()].map(({ link }) => link));
  }

  /**
   * @param {string} here the page that is shown
   * @param {Desk} desk
   * @param {string} history where the history was left
   */
  show(here, desk, history) {
    const counts = new Map([["chat", here === "chat" ? 0 : desk.unreadInAll()]]);
    for (const page of this.others) counts.set(page.name, page.count?.(desk) ?? 0);
    for (const [name, { link, badge }] of this.links) {
      if (name === here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      const mark = String(counts.get(name) ?? 0);
      if (badge.dataset.mark === mark) continue;
      badge.dataset.mark = mark;
      badge.hidden = mark === "0";
      badge.setAttribute("aria-label", t("unread", { count: mark }));
      fill(badge, mark === "0" ? "" : mark);
    }
    const { link } = /** @type {{link: HTMLAnchorElement}} */ (this.links.get("history"));
    link.hash = history;
  }
}
