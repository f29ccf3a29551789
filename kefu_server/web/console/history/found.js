/** @import {Result, Results, State} from "./results.js" */
/** @import {Place} from "./place.js" */
import { fill, h, reconcile } from "../../ui/dom.js";
import { getLocale, t } from "../../ui/i18n.js";
import { clock, dayKey, format, stamp } from "../../ui/time.js";
import { faceOf, hueOf, statusText, visitorName } from "../people.js";
import { cut } from "./marks.js";
import { tell } from "./phrases.js";

const NEAR_PX = 300;

/**
 * @typedef {object} FoundParts
 * @property {(result: Result) => void} select
 * @property {() => void} more
 * @property {() => void} clear
 * @property {(id: string) => string} nameOf
 * @property {(id: number) => string} siteOf nothing when there is only one site
 */

/** The list of what was found. */
export class FoundList {
  /** @param {FoundParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.list = h("ul", { class: "rows", "aria-label": tell("list") });
    this.note = h("p", { class: "found-note", hidden: true });
    this.end = h("div", { class: "found-end" });
    this.heard = h("p", { class: "only-heard", role: "status" });
    this.element = h("div", { class: "list-body", tabIndex: -1 }, this.note, this.list, this.end, this.heard);
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.mark = "";
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    // A list that failed goes on by its button only.
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX && this.mayGoOn) this.parts.more();
  }

  get mayGoOn() {
    return this.results !== undefined && this.results.state === "idle" && this.results.next !== null && this.results.isComplete;
  }

  /**
   * @param {Results} results
   * @param {Place} place
   */
  show(results, place) {
    this.results = results;
    const now = Date.now();
    const items = results.all.map((result) => this.item(result, place, now));
    reconcile(this.list, items, (item, old) => this.draw(item, old), getLocale());
    this.element.setAttribute("aria-busy", String(results.state === "loading"));
    this.note.hidden = !results.behind;
    fill(this.note, tell("behind", { count: results.behind }));
    const mark = JSON.stringify([results.state, results.next, results.isComplete, items.length, place.text, getLocale()]);
    if (mark === this.mark) return;
    this.mark = mark;
    fill(this.end, ...this.ending(results, place));
    const isDone = results.state === "idle";
    fill(this.heard, isDone && items.length ? tell("found", { count: items.length }) : "");
    // A list that does not fill the screen has no scrolling to wait for.
    if (isDone) requestAnimationFrame(() => this.scrolled());
  }

  /**
   * @param {Results} results
   * @param {Place} place
   * @returns {Node[]}
   */
  ending(results, place) {
    const { state, next, isComplete, all } = results;
    /** @param {string} text */
    const button = (text, act = this.parts.more) => h("button", { type: "button", class: "plain", onclick: act }, text);
    if (state === "loading") return [h("p", { class: "found-loading", role: "status" }, tell("loading"))];
    if (state !== "idle") return [h("p", { class: "fault", role: "alert" }, faultText(state)), ...(state === "wrong" ? [] : [button(t("retry"))])];
    if (!isComplete) return [h("p", { class: "found-slow", role: "status" }, tell("incomplete")), ...(next === null ? [] : [button(tell("tooMuch"))])];
    if (next !== null) return [button(tell("more"))];
    if (all.length) return [h("p", { class: "found-last" }, tell("end"))];
    const nothing = place.text ? tell("emptyHits", { text: place.text }) : tell("empty");
    return [h("p", { class: "rows-empty" }, nothing), button(tell("all"), this.parts.clear)];
  }

  /**
   * @param {Result} result
   * @param {Place} place
   * @param {number} now
   */
  item(result, place, now) {
    const { row, seq, at, sender, snippet, marks, key } = result;
    const isOpen = row.id === place.conversation;
    return {
      key,
      name: visitorName(row),
      face: faceOf(row),
      hue: hueOf(row),
      status: row.status,
      state: statusText(row),
      isSelected: isOpen && (seq === null || place.seq === null || seq === place.seq || place.order === "grouped"),
      when: when(at, now) + (place.text && place.order !== "grouped" && dayKey(at) !== dayKey(now) ? ` ${clock(at)}` : ""),
      sender: sender && sender !== row.visitor ? this.parts.nameOf(sender) : "",
      pieces: cut(snippet, marks),
      labels: row.labels ?? [],
      agent: row.assignee ? this.parts.nameOf(row.assignee) : "",
      site: this.parts.siteOf(row.site_id),
      result,
    };
  }

  /**
   * @param {ReturnType<FoundList["item"]>} item
   * @param {HTMLElement | undefined} old
   */
  draw(item, old) {
    const element = old ?? h("li", null, h("button", { type: "button", class: "row" }));
    const button = /** @type {HTMLElement} */ (element.firstElementChild);
    button.onclick = () => this.parts.select(item.result);
    button.dataset.key = item.key;
    button.className = `row found ${item.status}${item.isSelected ? " selected" : ""}`;
    button.setAttribute("aria-current", String(item.isSelected));
    const facts = [item.state, item.agent, item.site].filter(Boolean);
    fill(
      button,
      h("span", { class: `face hue-${item.hue}`, "aria-hidden": "true" }, item.face),
      h("span", { class: "row-name" }, h("bdi", null, item.name)),
      h("span", { class: "row-when" }, item.when),
      h("span", { class: "row-line", dir: "auto" }, item.sender && h("span", { class: "row-who" }, h("bdi", null, item.sender), ": "), ...markedNodes(item.pieces)),
      h(
        "span",
        { class: "row-facts" },
        h("i", { class: `dot ${item.status}`, "aria-hidden": "true" }),
        ...facts.flatMap((fact, i) => [i ? " · " : "", h("bdi", null, fact)]),
        ...item.labels.map((label) => h("span", { class: "chip" }, h("bdi", null, label))),
      ),
    );
    return element;
  }
}

/** @param {State} state */
export function faultText(state) {
  if (state === "wrong") return tell("toShort");
  return state === "busy" ? tell("busy") : tell("away");
}

/**
 * @param {import("./marks.js").Piece[]} pieces
 * @returns {(Node | string)[]}
 */
export function markedNodes(pieces) {
  return pieces.map(({ text, isMark }) => (isMark ? h("mark", null, text) : text));
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} short, and with the year where it is another one
 */
export function when(at, now) {
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return isThisYear ? stamp(at, now) : format(at, { year: "numeric", month: "numeric", day: "numeric" });
}
