/** @import {Item} from "../../ui/items.js" */
/** @import {LogViewParts} from "../../ui/logview.js" */
import { h, reconcile } from "../../ui/dom.js";
import { LogView } from "../../ui/logview.js";
import { Reading } from "../../ui/reading.js";

const NEAR_PX = 240;

/** A log that is read, not followed: it keeps its place while pages come on both sides. */
export class ReaderLog extends LogView {
  /** @param {LogViewParts & {newer: () => void}} parts */
  constructor(parts) {
    super(parts);
    this.newer = parts.newer;
    this.reading = new Reading();
    this.bottom = h("div", { class: "log-top" });
    this.scroller.append(this.bottom);
    // Nothing here follows the end.
    this.isAtBottom = false;
    /** @type {number | null} */
    this.found = null;
  }

  /**
   * @param {Item[]} items
   * @param {{skin?: string, ends?: () => void}} [options] ends: draws what is above
   *   and below
   */
  show(items, { skin = "", ends = () => {} } = {}) {
    const anchor = this.anchor();
    ends();
    reconcile(this.list, items, (item, old) => this.draw(item, old), skin);
    if (anchor?.element.isConnected) this.scroller.scrollTop += topOf(anchor.element) - anchor.top;
    this.mark();
  }

  /** What is being read now stays where it is. */
  anchor() {
    const top = topOf(this.scroller);
    for (const element of this.list.children) {
      // A day's line belongs to the first message below it, and moves with it.
      if (element.className === "day" || element.getBoundingClientRect().bottom <= top) continue;
      return { element, top: topOf(element) };
    }
    return null;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollTop < NEAR_PX) this.parts.older();
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.newer();
  }

  toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /**
   * @param {Item} item
   * @param {HTMLElement | undefined} old
   */
  draw(item, old) {
    const element = super.draw(item, old);
    if (item.type !== "day") element.dataset.seq = String(item.line.seq ?? "");
    return element;
  }

  /**
   * Bring a message into view and say that it is the one.
   * @param {number} seq what is not shown gives way to the next that is
   * @param {boolean} [isFound] false: only where to begin reading
   */
  reveal(seq, isFound = true) {
    const all = [.../** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll("[data-seq]"))];
    const element = all.find((each) => Number(each.dataset.seq) >= seq) ?? all.at(-1);
    this.found = isFound ? seq : null;
    this.mark();
    if (!element) return;
    const { scroller } = this;
    // `scrollIntoView` would move the page as well.
    if (isFound) {
      const room = scroller.clientHeight - element.getBoundingClientRect().height;
      scroller.scrollTop += topOf(element) - topOf(scroller) - Math.max(0, room / 2);
      element.classList.remove("flash");
      // Read, so that the browser begins the animation again.
      void element.offsetWidth;
      element.classList.add("flash");
    } else {
      const before = element.previousElementSibling;
      const start = before?.className === "day" ? before : element;
      scroller.scrollTop += topOf(start) - topOf(scroller);
    }
  }

  mark() {
    for (const element of this.list.querySelectorAll(".found")) element.classList.remove("found");
    const found = this.found && this.list.querySelector(`[data-seq="${this.found}"]`);
    if (found) found.classList.add("found");
  }
}

/** @param {Element} element */
function topOf(element) {
  return element.getBoundingClientRect().top;
}
