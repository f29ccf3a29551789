/** @import {Line} from "../ui/items.js" */
/** @import {LogView} from "../ui/logview.js" */
/** @import {Model} from "./model.js" */
import { h, icon, ICONS } from "../ui/dom.js";
import { getLocale } from "../ui/i18n.js";
import { Reading } from "../ui/reading.js";

ICONS.languages = "M4 6h8M8 4v2M10.500 6c-.5 4-3 6.500-6 8M6 9c1 2.500 3 4 5 5M12.500 20l4-9.500 4 9.500M14 17h5";

// Both languages, because most of those who open the chat never need them.
const EN = { on: "Read translations", off: "Read what was written" };
/** @type {typeof EN} */
const ZH = { on: "阅读译文", off: "阅读原文" };

/**
 * Who has switched translations off, by the newest line of each side.
 * @param {{kind: string, sender: string, data?: Record<string, any> | null}[]} lines
 * @param {{isOffForAll: boolean, isOffForMe: boolean}} before what held before these lines
 */
export function switchesIn(lines, before) {
  const found = { ...before };
  for (const { kind, sender, data } of lines) {
    if (kind === "translating") found[sender.startsWith("v") ? "isOffForMe" : "isOffForAll"] = data?.is_on === false;
  }
  return found;
}

/** What the visitor reads of what was translated, and the switch for it. */
export class Translating {
  /** @param {{model: Model, log: LogView, head: HTMLElement}} parts */
  constructor({ model, log, head }) {
    this.model = model;
    this.reading = log.reading = new Reading();
    /** @type {number | null} the conversation that the server was asked of */
    this.asked = null;
    this.before = { isOffForAll: false, isOffForMe: false };
    this.words = getLocale() === "en" ? EN : ZH;
    this.button = h("button", { type: "button", class: "head-button", hidden: true, onclick: () => void this.press() }, icon("languages"));
    head.insertBefore(this.button, head.querySelector(".head-button, .head-close"));
  }

  get isOff() {
    return this.reading.isOff;
  }

  /** @param {Line[]} lines */
  show(lines) {
    const { model, button, words } = this;
    if (model.conversation !== this.asked && model.state === "live") void this.ask();
    const { isOffForAll, isOffForMe } = switchesIn(lines, this.before);
    this.reading.isOff = isOffForAll || isOffForMe;
    // What an agent has switched off for both sides, no visitor switches on.
    button.hidden = isOffForAll || model.state !== "live";
    const text = isOffForMe ? words.on : words.off;
    if (button.title === text) return;
    button.title = text;
    button.setAttribute("aria-label", text);
    button.classList.toggle("is-off", isOffForMe);
  }

  /** The line that has switched it may be far above. */
  async ask() {
    this.asked = this.model.conversation;
    try {
      const told = await this.model.chat.call("conversation.translate", { conversation: this.asked });
      this.before = { isOffForAll: !told.is_translated, isOffForMe: !told.visitor_reads_translations };
      this.model.changed();
    } catch {
      this.asked = null;
    }
  }

  async press() {
    this.button.disabled = true;
    const { conversation } = this.model;
    const is_on = this.button.classList.contains("is-off");
    // What is refused stays as it is, and may be tried again.
    await this.model.chat.call("conversation.translate", { conversation, is_on }).catch(() => {});
    this.button.disabled = false;
  }
}
