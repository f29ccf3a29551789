/** @import {Desk} from "../desk.js" */
/** @import {Pages} from "./pages.js" */
/** @import {Place} from "./place.js" */
import { fill, h, icon } from "../../ui/dom.js";
import { getLocale, t } from "../../ui/i18n.js";
import { FileLines } from "../../ui/filelines.js";
import { itemsOf } from "../../ui/items.js";
import { LabelMenu } from "../labels.js";
import { systemText } from "../lines.js";
import { statusText, visitorName } from "../people.js";
import { say } from "../phrases.js";
import { readsOf } from "../translation/reads.js";
import { ExportMenu } from "./exports.js";
import { faultText, markedNodes, when } from "./found.js";
import { finderOf, markWords } from "./marks.js";
import { startOfDay } from "./place.js";
import { tell } from "./phrases.js";
import { ReaderLog } from "./readerlog.js";

const NO_TICKS = { delivered: 0, read: 0 };

/**
 * @typedef {object} ReaderParts
 * @property {Desk} desk
 * @property {(labels: string[]) => void} labelled
 * @property {(id: string) => string} nameOf
 * @property {(id: number) => string} siteOf
 * @property {() => string} skin what names depend on
 * @property {() => void} leave
 * @property {(seq: number) => void} goTo
 * @property {(visitor: string) => void} onlyVisitor
 * @property {(id: number) => boolean} isInChat
 * @property {(id: number) => void} openChat
 */

/** Reads one conversation, marks what was looked for, and goes from hit to hit. */
export class Reader {
  /**
   * @param {Pages} pages
   * @param {ReaderParts} parts
   */
  constructor(pages, parts) {
    this.pages = pages;
    this.parts = parts;
    this.place = /** @type {Place | null} */ (null);
    /** @type {RegExp | null} */
    this.finder = null;
    const files = new FileLines(async () => ({}));
    this.log = new ReaderLog({
      nameOf: parts.nameOf,
      isMe: () => false,
      systemText: ({ line }) => systemText(line, parts.nameOf, parts.desk.me.id),
      bodyOf: (line) => (line.kind === "file" ? [files.of(line)] : markedNodes(markWords(line.body, this.finder))),
      tag: (line) => (line.kind === "note" ? say("noteTag") : ""),
      older: () => void pages.older(),
      newer: () => void pages.newer(),
      seen() {},
      retry() {},
      discard() {},
    });
    this.name = h("h2", { tabIndex: -1 });
    this.sub = h("span", { class: "room-sub" });
    this.hitText = h("span", { class: "hits-text", role: "status" });
    this.previous = this.tool("up", tell("previousHit"), () => this.step(-1));
    this.next = this.tool("down", tell("nextHit"), () => this.step(1));
    this.hits = h("div", { class: "hits", role: "group", "aria-label": tell("searchAll"), hidden: true }, this.previous, this.hitText, this.next);
    this.day = h("input", { type: "date", class: "reader-day", "aria-label": tell("jump"), title: tell("jump"), onchange: () => this.jump() });
    this.exports = new ExportMenu("export-one", "exportOne");
    this.labels = new LabelMenu(parts.desk, "labels-reader", (labels) => parts.labelled(labels));
    this.chat = this.tool("chat", tell("openChat"), () => pages.conversation && parts.openChat(pages.conversation));
    this.others = this.tool("person", tell("visitorAll"), () => pages.row && parts.onlyVisitor(pages.row.visitor));
    const back = h("button", { type: "button", class: "back", "aria-label": t("back"), onclick: parts.leave }, icon("back"));
    const acts = h("div", { class: "reader-acts" }, this.others, this.chat, this.labels.element, this.exports.element);
    const tools = h("div", { class: "reader-tools" }, this.hits, this.day, acts);
    this.header = h("header", { class: "room-head reader-head" }, back, h("div", { class: "room-title" }, this.name, this.sub), tools);
    this.fault = h("p", { class: "fault reader-fault", role: "alert" });
    this.inside = h("div", { class: "room-inside", hidden: true }, this.header, this.fault, this.log.element);
    this.nothing = h("div", { class: "nothing" }, icon("chat"), h("strong", null, tell("pick")), h("span", null, tell("pickMore")));
    this.element = h("main", { class: "room reader", "aria-label": tell("reader") }, this.nothing, this.inside);
  }

  /**
   * @param {string} picture
   * @param {string} name
   * @param {() => void} act
   */
  tool(picture, name, act) {
    return h("button", { type: "button", class: "plain small tool", "aria-label": name, title: name, onclick: act }, icon(picture));
  }

  /**
   * @param {Place} place
   * @param {boolean} isOther another conversation, or the same one anew
   */
  async open(place, isOther) {
    const { conversation, seq, text } = place;
    this.place = place;
    this.day.value = isOther ? "" : this.day.value;
    if (conversation === null) return this.pages.change(null);
    const held = this.pages.messages;
    const isHeld = !isOther && seq !== null && held.length > 0 && held[0].seq <= seq && seq <= held[held.length - 1].seq;
    if (!isHeld) {
      this.log.found = null;
      const opened = this.pages.open(conversation, { around: seq });
      if (isOther && text) void this.pages.find(text);
      await opened;
      if (this.place !== place || this.pages.state !== "idle") return;
    }
    this.show();
    if (seq === null) this.log.toBottom();
    else this.log.reveal(this.placeOf(seq));
  }

  /**
   * @param {number} seq
   * @returns {number} where it is shown: what was edited stands where it stood
   */
  placeOf(seq) {
    const found = this.pages.messages.find((message) => message.seq === seq);
    return found?.ref && ["edit", "note_edit"].includes(found.kind) ? found.ref : seq;
  }

  /** Go to the chosen day. */
  async jump() {
    const { pages, place } = this;
    if (!this.day.value || pages.conversation === null) return;
    this.log.found = null;
    await pages.open(pages.conversation, { at: startOfDay(this.day.value) });
    if (this.place !== place || pages.state !== "idle") return;
    this.show();
    const first = pages.messages[0];
    const isReached = first && first.at >= startOfDay(this.day.value);
    if (isReached) this.log.reveal(first.seq, false);
    else this.log.toBottom();
  }

  /** @param {1 | -1} step */
  step(step) {
    const { hits } = this.pages;
    const at = this.log.found ?? (step > 0 ? 0 : Infinity);
    const seq = this.pages.hitFrom(at, step) ?? (step > 0 ? hits[0] : hits.at(-1));
    if (seq !== undefined) this.parts.goTo(seq);
  }

  /** Whether there is something to read, on a screen that shows it. */
  get isShown() {
    return !this.inside.hidden && this.inside.offsetParent !== null;
  }

  show() {
    const { pages, place, parts } = this;
    const isOpen = pages.conversation !== null;
    this.nothing.hidden = isOpen;
    this.inside.hidden = !isOpen;
    if (!isOpen || !place) return;
    this.showHead();
    this.showFault();
    this.finder = finderOf(place.text, pages.words);
    const items = itemsOf(pages.lines(), (sender) => sender.startsWith("a"), NO_TICKS, readsOf(parts.desk, pages.row?.site_id ?? 0)).map((item) => ({ ...item, state: null }));
    this.log.show(items, { skin: parts.skin() + this.finder?.source, ends: () => this.showEnds() });
    this.log.scroller.setAttribute("aria-busy", String(pages.state === "loading"));
    if (pages.state === "idle" && items.length) requestAnimationFrame(() => this.log.scrolled());
  }

  showFault() {
    const { state, messages } = this.pages;
    if (this.fault.dataset.state === state) return;
    this.fault.dataset.state = state;
    if (state === "idle" || state === "loading") return fill(this.fault);
    if (state === "wrong") return fill(this.fault, tell("gone"));
    const again = () => (messages.length ? this.pages.again() : this.place && this.open(this.place, true));
    fill(this.fault, faultText(state), " ", h("button", { type: "button", class: "link", onclick: again }, t("retry")));
  }

  /** What stands above and below the messages; made anew only when it is another thing. */
  showEnds() {
    const { pages, log } = this;
    const { hasOlder, hasNewer, state } = pages;
    const isEmpty = !pages.messages.length;
    const mark = JSON.stringify([hasOlder, hasNewer, isEmpty, isEmpty && state]);
    if (log.list.dataset.mark === mark) return;
    log.list.dataset.mark = mark;
    /** @param {string} text @param {() => void} act */
    const link = (text, act) => h("button", { type: "button", class: "link", onclick: act }, text);
    let top = hasOlder ? link(tell("older"), () => void pages.older()) : t("history");
    if (isEmpty) top = state === "loading" ? tell("loading") : "";
    fill(log.top, top && h("p", { class: "beginning" }, top));
    fill(log.bottom, hasNewer && h("p", { class: "beginning" }, link(tell("newer"), () => void pages.newer())));
  }

  showHead() {
    const { pages, place, parts } = this;
    const { row, hits } = pages;
    if (row) {
      const facts = [statusText(row), row.assignee ? parts.nameOf(row.assignee) : "", parts.siteOf(row.site_id), `${say("opened")} ${when(row.opened_at, Date.now())}`];
      const mark = JSON.stringify([row.id, visitorName(row), facts, row.labels, getLocale()]);
      if (this.header.dataset.mark !== mark) {
        this.header.dataset.mark = mark;
        fill(this.name, h("bdi", null, visitorName(row)));
        const chips = row.labels.map((label) => h("span", { class: "chip" }, h("bdi", null, label)));
        fill(this.sub, h("i", { class: `dot ${row.status}`, "aria-hidden": "true" }), ...facts.filter(Boolean).flatMap((fact, i) => [i ? " · " : "", h("bdi", null, fact)]), ...chips);
      }
      this.exports.show(new URLSearchParams({ conversation: String(row.id) }));
      this.labels.show(row.id, row.labels);
      this.chat.hidden = !parts.isInChat(row.id);
    }
    this.hits.hidden = !place?.text || !hits.length;
    const index = hits.indexOf(this.log.found ?? 0);
    const count = `${hits.length}${pages.hasMoreHits ? "+" : ""}`;
    const text = index < 0 ? tell("hitsNone", { count }) : tell("hitOf", { at: index + 1, count });
    if (this.hitText.textContent !== text) fill(this.hitText, text);
  }
}
