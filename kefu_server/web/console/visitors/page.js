/** @import {Desk} from "../desk.js" */
/** @import {Visit} from "./line.js" */
/** @import {By, Order} from "./order.js" */
import { fill, h } from "../../ui/dom.js";
import { shownName } from "../people.js";
import { Line } from "./line.js";
import { filtered, sorted } from "./order.js";
import { tell } from "./phrases.js";
import { lookAway, lookOn, TOPIC } from "./watching.js";

const STEP = 200;
const LONG_MS = 1_900;
/** @type {[Parameters<typeof tell>[0], By | null][]} */
const COLUMNS = [["visitor", "visitor"], ["page", "page"], ["onPage", "onPage"], ["since", "arrived"], ["pages", "pages"], ["source", "source"], ["browser", null]];
/** Columns that are most wanted from the largest on. */
const FROM_LARGEST = ["onPage", "pages"];

/** @param {Desk} desk */
export function make(desk) {
  return new VisitorsPage(desk);
}

/** Who is on the sites now: a table that changes by itself. */
class VisitorsPage {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Order} who waits above who talks above all others */
    this.order = { by: "visitor", isDown: false };
    this.limit = STEP;
    this.drawnAt = 0;
    /** @type {Map<number, Line>} */
    this.lines = new Map();
    this.siteMark = "";
    this.onlooker = () => true;
    this.chooser = h("select", { "aria-label": tell("site"), hidden: true, onchange: () => this.refresh() });
    this.seek = h("input", { type: "search", "aria-label": tell("search"), placeholder: tell("search"), oninput: () => this.refresh() });
    this.count = h("span", { class: "visit-count" });
    /** @type {Map<By, HTMLElement>} */
    this.heads = new Map();
    this.table = h("table", { class: "table visits", "aria-label": tell("table"), onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, h("thead", null, h("tr", null, ...COLUMNS.map(([name, by]) => this.head(name, by)))));
    this.empty = h("div", { class: "visit-empty" });
    this.more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.showMore() });
    const tools = h("div", { class: "visit-tools" }, this.seek, this.chooser, this.count);
    this.element = h("main", { class: "page visitors" }, h("h1", null, tell("title")), tools, this.empty, this.table, this.more);
  }

  /**
   * @param {Parameters<typeof tell>[0]} name
   * @param {By | null} by
   */
  head(name, by) {
    if (!by) return h("th", { scope: "col" }, tell(name));
    const button = h("button", { type: "button", title: tell("sortBy", { what: tell(name) }), onclick: () => this.sort(by) }, tell(name));
    const head = h("th", { scope: "col" }, button);
    this.heads.set(by, head);
    return head;
  }

  enter() {
    lookOn(this.desk, this.onlooker);
    this.refresh();
  }

  leave() {
    lookAway(this.desk, this.onlooker);
  }

  /** @param {By} by */
  sort(by) {
    const isDown = this.order.by === by ? !this.order.isDown : FROM_LARGEST.includes(by);
    this.order = { by, isDown };
    this.refresh();
  }

  showMore() {
    this.limit += STEP;
    this.refresh();
  }

  /** Up and down go through the visitors. @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey) return;
    const names = [.../** @type {NodeListOf<HTMLElement>} */ (this.table.querySelectorAll(".visit-name"))];
    const at = names.findIndex((name) => name.closest("tbody")?.contains(document.activeElement));
    const next = names[at + step];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  }

  /** Called each second, and once a frame when something has changed. */
  show() {
    // A browser lays a table out as a whole: a long one is not drawn for each change.
    if (this.lines.size <= STEP || Date.now() - this.drawnAt > LONG_MS) this.refresh();
  }

  refresh() {
    this.drawnAt = Date.now();
    const list = this.desk.chat.session.lists.topics.get(TOPIC);
    const isHere = Boolean(list && list.version >= 0);
    const all = /** @type {Visit[]} */ ([...(list?.rows.values() ?? [])]);
    this.nameSites(all);
    const nameOf = (/** @type {Visit} */ { name }) => shownName(name);
    const wanted = { site: Number(this.chooser.value), text: this.seek.value };
    const found = sorted(filtered(all, wanted, nameOf), this.order);
    this.draw(found.slice(0, this.limit));
    this.table.hidden = !found.length;
    fill(this.count, this.counted(found));
    this.more.hidden = found.length <= this.limit;
    if (!this.more.hidden) fill(this.more, tell("more", { count: Math.min(STEP, found.length - this.limit) }));
    this.excuse(found.length ? "" : !isHere ? "loading" : all.length ? "nothing" : "empty");
    for (const [by, head] of this.heads) {
      if (by !== this.order.by) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.order.isDown ? "descending" : "ascending");
    }
  }

  /** @param {Visit[]} visits */
  draw(visits) {
    const { sites } = this.desk.directory;
    const now = Date.now();
    const shown = new Set(visits.map(({ id }) => id));
    for (const [id, line] of this.lines) {
      if (shown.has(id)) continue;
      line.element.remove();
      this.lines.delete(id);
    }
    /** @type {ChildNode | null} */
    let cursor = this.first;
    const focused = document.activeElement;
    for (const visit of visits) {
      const line = this.lines.get(visit.id) ?? new Line(this.desk, visit.id);
      this.lines.set(visit.id, line);
      line.show(visit, sites.size > 1 ? (sites.get(visit.site_id) ?? "") : "");
      line.tick(now);
      if (line.element === cursor) cursor = cursor.nextSibling;
      else this.table.insertBefore(line.element, cursor);
    }
    // What is moved in the page loses the focus.
    if (focused !== document.activeElement && focused instanceof HTMLElement && this.table.contains(focused)) focused.focus();
  }

  /** The first row; above it stand the names of the columns. */
  get first() {
    return this.table.tHead?.nextSibling ?? null;
  }

  /** @param {Visit[]} visits */
  counted(visits) {
    const waits = visits.filter(({ status }) => status === "queued").length;
    const talks = visits.filter(({ status }) => status === "active").length;
    return tell(waits || talks ? "counts" : "count", { count: visits.length, waits, talks });
  }

  /** @param {"" | "loading" | "nothing" | "empty"} why there is no row */
  excuse(why) {
    if (this.empty.dataset.why === why) return;
    this.empty.dataset.why = why;
    this.empty.hidden = !why;
    fill(this.empty, why && h("p", null, tell(why)), why === "empty" && h("p", { class: "more" }, tell("emptyMore")));
  }

  /** @param {Visit[]} visits */
  nameSites(visits) {
    const { sites } = this.desk.directory;
    const mark = JSON.stringify([...sites]);
    if (mark === this.siteMark) return;
    this.siteMark = mark;
    const { value } = this.chooser;
    fill(this.chooser, h("option", { value: "0" }, tell("anySite")), ...[...sites].map(([id, name]) => h("option", { value: String(id) }, name)));
    this.chooser.value = sites.has(Number(value)) ? value : "0";
    this.chooser.hidden = sites.size < 2;
  }
}
