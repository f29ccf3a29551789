/** @import {Desk, Row, Tab} from "./desk.js" */
import { fill, h, reconcile } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { span, stamp } from "../ui/time.js";
import { faceOf, hueOf, visitorName } from "./people.js";
import { say } from "./phrases.js";

/** @type {Tab[]} */
const TABS = ["mine", "queue", "all"];
const LABELS = { mine: "mine", queue: "queue", all: "allChats" };
const EMPTY = { mine: "emptyMine", queue: "emptyQueue", all: "emptyAll" };

/** The list of conversations with its three tabs. */
export class ListView {
  /**
   * @param {Desk} desk
   * @param {{select: (id: number) => void, tab: (tab: Tab) => void}} parts
   */
  constructor(desk, parts) {
    this.desk = desk;
    this.parts = parts;
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": t("conversations"), onkeydown: (/** @type {KeyboardEvent} */ e) => this.tabKey(e) });
    this.rows = h("ul", { class: "rows", id: "rows" });
    this.empty = h("p", { class: "rows-empty" });
    this.body = h("div", { class: "list-body", role: "tabpanel", "aria-label": t("conversations") }, this.rows, this.empty);
    for (const tab of TABS) {
      this.tabs.append(h("button", { type: "button", role: "tab", id: `tab-${tab}`, "aria-controls": "rows", onclick: () => parts.tab(tab) }));
    }
    this.element = h("nav", { class: "list", "aria-label": t("conversations") }, this.tabs, this.body);
  }

  /**
   * @param {Tab} tab
   * @param {number | null} selected
   */
  show(tab, selected) {
    const now = Date.now();
    TABS.forEach((name, i) => {
      const button = /** @type {HTMLElement} */ (this.tabs.children[i]);
      const count = this.desk.list(name).length;
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      const label = t(/** @type {any} */ (LABELS[name]));
      const mark = `${label} ${count}`;
      if (button.dataset.mark === mark) return;
      button.dataset.mark = mark;
      fill(button, label, h("span", { class: `count${name === "queue" && count ? " hot" : ""}` }, String(count)));
    });
    const rows = this.desk.list(tab);
    const items = rows.map((row) => this.item(row, selected, now));
    reconcile(this.rows, items, (item, old) => this.draw(item, old));
    this.empty.hidden = rows.length > 0 || !this.desk.hasList;
    fill(this.empty, say(/** @type {any} */ (EMPTY[tab])));
  }

  /**
   * @param {Row} row
   * @param {number | null} selected
   * @param {number} now
   */
  item(row, selected, now) {
    const isWaiting = row.status !== "closed" && row.waiting_since;
    return {
      key: String(row.id),
      id: row.id,
      name: visitorName(row),
      face: faceOf(row),
      hue: hueOf(row),
      line: row.last_line,
      isOurs: Boolean(row.last_sender?.startsWith("a")),
      status: row.status,
      unread: row.id === selected && !document.hidden ? 0 : this.desk.unread(row),
      isSelected: row.id === selected,
      when: stamp(row.last_at || row.opened_at, now),
      waits: isWaiting ? span(now - Number(row.waiting_since)) : "",
      isLate: isWaiting ? now - Number(row.waiting_since) > 120_000 : false,
      assignee: row.assignee && row.assignee !== this.desk.me.id ? this.desk.nameOf(row.assignee) : "",
    };
  }

  /**
   * @param {ReturnType<ListView["item"]>} item
   * @param {HTMLElement | undefined} old
   */
  draw(item, old) {
    const element = old ?? h("li", null, h("button", { type: "button", class: "row", onclick: () => this.parts.select(item.id) }));
    const button = /** @type {HTMLElement} */ (element.firstElementChild);
    button.dataset.id = item.key;
    button.className = `row ${item.status}${item.isSelected ? " selected" : ""}`;
    button.setAttribute("aria-current", String(item.isSelected));
    const state = item.status === "closed" ? t("closed") : item.assignee;
    fill(
      button,
      h("span", { class: `face hue-${item.hue}`, "aria-hidden": "true" }, item.face),
      h("span", { class: "row-name" }, h("bdi", null, item.name)),
      h("span", { class: "row-when" }, item.when),
      h("span", { class: "row-line", dir: "auto" }, item.isOurs ? "↩ " : "", item.line),
      h(
        "span",
        { class: "row-marks" },
        item.waits && h("span", { class: `waits${item.isLate ? " late" : ""}`, title: t("waiting", { time: item.waits }) }, item.waits),
        !item.waits && state && h("span", { class: "row-state" }, state),
        item.unread > 0 && h("span", { class: "badge", "aria-label": t("unread", { count: item.unread }) }, String(item.unread)),
      ),
    );
    return element;
  }

  /** @param {KeyboardEvent} event */
  tabKey(event) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    const now = TABS.findIndex((_, i) => this.tabs.children[i].getAttribute("aria-selected") === "true");
    const next = (now + step + TABS.length) % TABS.length;
    this.parts.tab(TABS[next]);
    /** @type {HTMLElement} */ (this.tabs.children[next]).focus();
  }
}
