/** @import {Item} from "./items.js" */
import { fill, h, icon, reconcile } from "./dom.js";
import { t } from "./i18n.js";
import { speakerOf } from "./items.js";
import { clock, day } from "./time.js";

const NEAR_PX = 60;

/**
 * @typedef {object} LogViewParts
 * @property {(sender: string) => string} nameOf
 * @property {(sender: string) => boolean} isMe
 * @property {(item: Item) => string} systemText
 * @property {(line: Item["line"]) => (Node | string)[]} [bodyOf] what a bubble shows
 * @property {(line: Item["line"]) => string} [tag] what a bubble is called, if it is no plain one
 * @property {{until: (line: Item["line"]) => number, act: (line: Item["line"]) => Promise<unknown>, again: (line: Item["line"]) => void}} [recall]
 *   until when one's own message may be taken back, how, and what writes it again
 * @property {{until: (line: Item["line"]) => number, start: (line: Item["line"]) => void}} [edit]
 * @property {() => void} older the person has scrolled to the top
 * @property {() => void} seen the person has come to the bottom
 * @property {(key: string) => void} retry
 * @property {(key: string) => void} discard
 */

/** The scrolling log of one conversation. */
export class LogView {
  /** @param {LogViewParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.list = h("ol", { class: "log-items" });
    this.top = h("div", { class: "log-top" });
    this.scroller = h(
      "div",
      { class: "log", role: "log", "aria-live": "off", "aria-label": t("messages"), tabIndex: 0 },
      this.top,
      this.list,
    );
    this.below = h("button", { class: "log-below", type: "button", hidden: true, onclick: () => this.toBottom() });
    this.voice = h("div", { class: "only-heard", "aria-live": "polite" });
    this.element = h("div", { class: "log-frame" }, this.scroller, this.below, this.voice);
    this.isAtBottom = true;
    this.lastKey = "";
    /** @type {Item[]} */
    this.items = [];
    /** @type {import("./reading.js").Reading | undefined} for those who read what was translated */
    this.reading = undefined;
    /** @type {Map<string, Item["line"]>} what was taken back here, until this page goes */
    this.taken = new Map();
    /** the message that was asked to be taken back, and not yet for sure */
    this.sure = "";
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.isAtBottom && this.toBottom()).observe(this.scroller);
  }

  /**
   * @param {Item[]} items
   * @param {{top?: Node | string | null, isFresh?: boolean, skin?: string}} [options]
   *   isFresh: another conversation, begin at its end; skin: names and language
   */
  show(items, { top = null, isFresh = false, skin = "" } = {}) {
    if (isFresh) this.isAtBottom = true;
    const { scroller } = this;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const firstBefore = this.list.firstElementChild;
    fill(this.top, top);
    reconcile(this.list, items, (item, old) => this.draw(item, old), skin);
    const last = items.at(-1);
    const isNew = last && last.key !== this.lastKey;
    this.lastKey = last?.key ?? "";
    this.items = items;
    if (this.isAtBottom || (isNew && last.isMine && !last.line.seq)) {
      this.toBottom();
    } else if (firstBefore !== this.list.firstElementChild) {
      // History came in above: what is being read stays where it is.
      scroller.scrollTop = scroller.scrollHeight - fromEnd;
    } else if (isNew) {
      fill(this.below, icon("down"), t("newBelow"));
      this.below.hidden = false;
    }
  }

  /**
   * @param {(line: Item["line"]) => number} until when a message may be edited
   * @returns {Item["line"] | undefined} the newest text that may be
   */
  lastOwn(until) {
    const all = this.items.map(({ line }) => line).filter(({ seq, kind }) => seq && (kind === "text" || kind === "note"));
    return all.filter((line) => until(line) > Date.now()).at(-1);
  }

  /** @param {string} text to be read out by a screen reader */
  announce(text) {
    fill(this.voice, text);
  }

  toBottom() {
    this.isAtBottom = true;
    this.below.hidden = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.isAtBottom = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.isAtBottom) {
      this.below.hidden = true;
      this.parts.seen();
    }
    if (scrollTop < NEAR_PX) this.parts.older();
  }

  /**
   * @param {Item} item
   * @param {HTMLElement | undefined} old
   */
  draw(item, old) {
    const element = old ?? h("li");
    if (item.type === "day") {
      element.className = "day";
      fill(element, h("span", null, day(item.line.at, Date.now())));
    } else if (item.type === "system") {
      element.className = `system ${item.line.kind}`;
      const taken = item.line.kind === "erased" ? this.taken.get(item.line.key) : undefined;
      const again = taken && h("button", { type: "button", class: "link", onclick: () => this.parts.recall?.again(taken) }, t("editAgain"));
      fill(element, h("span", null, this.parts.systemText(item), again && " ", again));
    } else {
      this.drawBubble(item, element);
    }
    return element;
  }

  /**
   * @param {Item} item
   * @param {HTMLElement} element
   */
  drawBubble({ line, isMine, isFirst, isLast, state }, element) {
    const classes = ["message", isMine ? "mine" : "theirs", line.kind];
    if (isFirst) classes.push("first");
    if (isLast) classes.push("last");
    element.className = classes.join(" ");
    element.dataset.key = line.key;
    element.dataset.state = state ?? "";
    element.dataset.seq = String(line.seq ?? "");
    const name = this.parts.nameOf(speakerOf(line));
    const showsFoot = isLast || state === "sending" || state === "failed" || line.earlier || this.reading?.tells(line, isMine);
    const isAsked = element.querySelector(".recall:focus") !== null;
    fill(
      element,
      isFirst && !this.parts.isMe(line.sender) && h("div", { class: "who" }, h("bdi", null, name)),
      h("div", { class: "bubble", dir: "auto" }, h("span", { class: "only-heard" }, `${name}: `), ...(this.reading?.body(line, isMine) ?? this.parts.bodyOf?.(line) ?? [line.body])),
      isMine && line.seq ? this.tools(line) : null,
      showsFoot && this.foot(line, state, isMine),
    );
    if (isAsked) /** @type {HTMLElement | null} */ (element.querySelector(".recall"))?.focus();
  }

  /**
   * What may be done with one's own message, as long as it may.
   * @param {Item["line"]} line
   */
  tools(line) {
    const { edit, recall } = this.parts;
    const now = Date.now();
    const toEdit = line.kind === "file" ? 0 : (edit?.until(line) ?? 0) - now;
    const toRecall = (recall?.until(line) ?? 0) - now;
    if (toEdit <= 0 && toRecall <= 0) return null;
    const button = toEdit > 0 && h("button", { type: "button", class: "edit", onclick: () => edit?.start(line) }, t("edit"));
    if (button) setTimeout(() => button.remove(), Math.min(toEdit, 2 ** 30));
    return h("div", { class: "own" }, button, toRecall > 0 && this.recallButton(line, toRecall));
  }

  /**
   * Takes a message back when pressed twice, and goes when it is too late.
   * @param {Item["line"]} line
   * @param {number} left milliseconds
   */
  recallButton(line, left) {
    const ask = () => {
      button.classList.add("sure");
      fill(button, t("recallSure"));
    };
    const act = async () => {
      if (this.sure !== line.key) {
        this.sure = line.key;
        return ask();
      }
      button.disabled = true;
      if (line.kind !== "file") this.taken.set(line.key, line);
      // What is refused stays, and may be tried again.
      await this.parts.recall?.act(line).catch(() => (button.disabled = false));
    };
    const button = h("button", { type: "button", class: "recall", onclick: act }, t("recall"));
    // A tick that came between the two drew the message anew.
    if (this.sure === line.key) ask();
    setTimeout(() => button.remove(), Math.min(left, 2 ** 30));
    return button;
  }

  /** @param {{body: string, at: number}[]} texts what a message said before */
  earlier(texts) {
    const list = h("ol", { class: "earlier" }, ...texts.map(({ body, at }) => h("li", { dir: "auto" }, h("time", { dateTime: new Date(at).toISOString() }, clock(at)), body)));
    const show = () => {
      if (list.isConnected) list.remove();
      else button.after(list);
      button.setAttribute("aria-expanded", String(list.isConnected));
    };
    const button = h("button", { type: "button", class: "link edited", "aria-expanded": "false", title: t("editedMore"), onclick: show }, t("edited"));
    return h("span", null, button);
  }

  /**
   * @param {Item["line"]} line
   * @param {Item["state"]} state
   * @param {boolean} isMine
   */
  foot(line, state, isMine) {
    const { retry, discard, tag } = this.parts;
    const name = line.kind === "auto" ? t(speakerOf(line) === line.sender ? "automatic" : "invitation") : tag?.(line);
    return h(
      "div",
      { class: "foot" },
      name && h("span", { class: "tag" }, name),
      this.reading?.mark(line, isMine),
      line.earlier && this.earlier(line.earlier),
      h("time", { dateTime: new Date(line.at).toISOString() }, clock(line.at)),
      state && h("span", { class: `state ${state}` }, t(state)),
      state === "failed" && h("button", { type: "button", class: "link", onclick: () => retry(line.key) }, t("retry")),
      state === "failed" && h("button", { type: "button", class: "link", onclick: () => discard(line.key) }, t("discard")),
    );
  }
}
