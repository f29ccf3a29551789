/** @import {Desk} from "../desk.js" */
/** @import {Visit} from "../visitors/line.js" */
/** @import {SeenPage} from "../visitors/trail.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { span, stamp } from "../../ui/time.js";
import { itemsOfTrail, linkOf } from "../visitors/trail.js";
import { lookAway, lookOn, TOPIC } from "../visitors/watching.js";
import { remember, wasOpen } from "./memory.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Stay one visit without its pages
 * @property {number} id
 * @property {number} since
 * @property {number} until
 * @property {number} page_count
 * @property {string} source
 * @property {string} browser
 * @property {string} language
 * @property {string} screen
 *
 * @typedef {{is_here: boolean, visit: Stay, pages: SeenPage[], earlier: Stay[]}} Known
 */

const MEMORY = "kefu.visit";
const AGAIN_MS = 3_000;

/** Where the visitor is and was: the page of now, this visit, and those before it. */
export class VisitPart {
  /**
   * @param {Desk} desk
   * @param {() => void} changed
   */
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
    this.visitor = 0;
    /** @type {Visit | undefined} as the list has it */
    this.row = undefined;
    /** @type {Known | null} */
    this.known = null;
    this.asked = "";
    this.isAsking = false;
    // A small screen is for the conversation; what is unfolded there is folded next time.
    this.isPhone = matchMedia("(max-width: 720px)").matches;
    this.isOpen = !this.isPhone && wasOpen(MEMORY);
    this.onlooker = (/** @type {Map<number, any>} */ rows) => rows.get(this.visitor) !== this.row;
    this.fold = h("button", { type: "button", class: "fold", "aria-expanded": String(this.isOpen), "aria-controls": "visitor-visit", onclick: () => this.toggle() }, tell("visit"));
    this.now = h("div", { class: "visit-now" });
    this.facts = h("dl", { class: "attributes" });
    this.trail = h("ol", { class: "visit-trail" });
    this.earlier = h("div");
    this.inside = h("div", { id: "visitor-visit", hidden: !this.isOpen }, this.now, this.facts, this.trail, this.earlier);
    this.element = h("section", { class: "pane-visit", hidden: true, "aria-label": tell("visit") }, h("h4", null, this.fold), this.inside);
  }

  toggle() {
    this.isOpen = !this.isOpen;
    if (!this.isPhone) remember(MEMORY, this.isOpen);
    this.fold.setAttribute("aria-expanded", String(this.isOpen));
    this.inside.hidden = !this.isOpen;
    this.changed();
  }

  /** Nobody looks at it any more. */
  rest() {
    lookAway(this.desk, this.onlooker);
  }

  /**
   * Called once a frame when something has changed, and each second.
   * @param {number} visitor
   * @param {boolean} isSeen the pane is open
   */
  show(visitor, isSeen) {
    if (visitor !== this.visitor) this.select(visitor);
    this.element.hidden = !visitor;
    if (!visitor || !isSeen || !this.isOpen) return this.rest();
    const { chat } = this.desk;
    lookOn(this.desk, this.onlooker);
    const list = chat.session.lists.topics.get(TOPIC);
    // Until the list is there nobody knows whether the visitor is.
    if (!chat.isLive || !list || list.version < 0) return;
    this.row = /** @type {any} */ (list.rows.get(visitor));
    const mark = this.row ? JSON.stringify([this.row.pages, this.row.at, this.row.title]) : "gone";
    if (mark !== this.asked && !this.isAsking) void this.ask(mark);
    this.drawNow();
  }

  /** @param {number} visitor */
  select(visitor) {
    this.visitor = visitor;
    this.row = undefined;
    this.known = null;
    this.asked = "";
    this.isAsking = false;
    for (const part of [this.now, this.facts, this.trail, this.earlier]) fill(part);
    delete this.now.dataset.mark;
  }

  /** @param {string} mark what it is asked for */
  async ask(mark) {
    const { visitor } = this;
    this.isAsking = true;
    this.asked = mark;
    try {
      const known = await this.desk.chat.call("visit.get", { visitor });
      if (visitor !== this.visitor) return;
      this.known = /** @type {any} */ (known);
      this.draw();
    } catch (error) {
      if (visitor !== this.visitor) return;
      const isUnknown = error instanceof Refusal && error.code === "not_found";
      if (isUnknown) this.known = null;
      else setTimeout(() => visitor === this.visitor && ((this.asked = ""), this.changed()), AGAIN_MS);
    }
    this.isAsking = false;
    this.changed();
  }

  /** The page of now; its time goes on by itself. */
  drawNow() {
    const { row, known, now } = this;
    const since = row ? span(Date.now() - row.at) : "";
    const mark = JSON.stringify(row ? [row.url, row.title, row.is_hidden] : [known?.visit.until, this.isAsking]);
    if (now.dataset.mark !== mark) {
      now.dataset.mark = mark;
      if (row) fill(now, h("p", { class: "more" }, h("i", { class: `dot ${row.is_hidden ? "queued" : "active"}` }), tell(row.is_hidden ? "hereHidden" : "here"), h("span", { class: "visit-long" })), linkOf(row));
      else fill(now, h("p", { class: "more" }, known ? tell("lastSeen", { time: stamp(known.visit.until, Date.now()) }) : this.isAsking ? "" : tell("noVisit")));
    }
    const long = now.querySelector(".visit-long");
    if (long && long.textContent !== since) long.textContent = since;
  }

  draw() {
    const { visit, pages, earlier, is_here } = /** @type {Known} */ (this.known);
    /** @type {[string, string][]} */
    const facts = [
      [tell("source"), visit.source || tell("direct")],
      [tell("browser"), visit.browser],
      [tell("language"), visit.language],
      [tell("screen"), visit.screen],
      [tell("visitSince"), stamp(visit.since, Date.now())],
      [tell("pageCount"), String(visit.page_count)],
    ];
    fill(this.facts, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, h("bdi", null, value))]));
    fill(this.trail, ...itemsOfTrail(pages, is_here));
    this.trail.setAttribute("aria-label", tell("trail"));
    this.trail.scrollTop = this.trail.scrollHeight;
    const mark = JSON.stringify(earlier);
    // One that is unfolded stays so.
    if (this.earlier.dataset.mark === mark && this.earlier.firstChild) return;
    this.earlier.dataset.mark = mark;
    fill(this.earlier, earlier.length > 0 && h("h4", null, tell("earlierVisits")), ...earlier.map((stay) => this.earlierOne(stay)));
  }

  /** @param {Stay} stay one visit before, whose pages come when they are wanted */
  earlierOne(stay) {
    const trail = h("ol", { class: "visit-trail", hidden: true });
    const { visitor } = this;
    const open = async () => {
      trail.hidden = !trail.hidden;
      fold.setAttribute("aria-expanded", String(!trail.hidden));
      if (trail.hidden || trail.firstChild) return;
      try {
        const { pages } = await this.desk.chat.call("visit.get", { visitor, visit: stay.id });
        fill(trail, ...itemsOfTrail(pages, false));
      } catch {
        fill(trail, h("li", { class: "more" }, tell("failed")));
      }
    };
    const more = [tell("pagesSeen", { count: stay.page_count }), stay.source].filter(Boolean).join(" · ");
    const fold = h("button", { type: "button", class: "fold", "aria-expanded": "false", onclick: open }, stamp(stay.since, Date.now()), h("small", { dir: "auto" }, more));
    return h("div", { class: "visit-earlier" }, fold, trail);
  }
}
