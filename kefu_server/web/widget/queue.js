/** @import {Model} from "./model.js" */
import { fill, h } from "../ui/dom.js";
import { getLocale, t } from "../ui/i18n.js";

// Both languages, because most of those who open the chat never wait.
const EN = { next: "You are next", ahead: "{count} people are ahead of you", one: "One person is ahead of you" };

/** @type {typeof EN} */
const ZH = { next: "您是下一位，请稍候", ahead: "您前面还有 {count} 位", one: "您前面还有 1 位" };

/** Says which place a visitor has in the queue, and for how long. */
export class QueueBar {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.words = getLocale() === "en" ? EN : ZH;
    this.place = h("span", { role: "status" });
    this.time = h("span", { class: "queue-time" });
    this.element = h("div", { class: "queue-bar", hidden: true }, this.place, this.time);
    setInterval(() => this.tick(), 1000);
  }

  /** @param {boolean} isStaffed somebody is there to wait for */
  show(isStaffed) {
    const { place, state } = this.model;
    this.element.hidden = !place || !isStaffed || state !== "live";
    if (!place) return;
    const ahead = place.position - 1;
    const words = ahead > 1 ? this.words.ahead.replace("{count}", String(ahead)) : ahead ? this.words.one : this.words.next;
    if (this.place.textContent !== words) fill(this.place, words);
    this.tick();
  }

  /** The time goes on by itself; who hears the page is told of the place only. */
  tick() {
    const { place } = this.model;
    if (!place || this.element.hidden) return;
    const seconds = Math.max(0, Math.floor((Date.now() - this.model.skew - place.since) / 1000));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    fill(this.time, t("waiting", { time }));
  }
}
