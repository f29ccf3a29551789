/** @import {Line} from "../ui/items.js" */
/** @import {LogView} from "../ui/logview.js" */
/** @import {Model} from "./model.js" */
import { areSame } from "../client/incoming.js";
import { fill, h, icon, ICONS } from "../ui/dom.js";
import { getLocale } from "../ui/i18n.js";
import { bestOf, Reading, visitorsOf } from "../ui/reading.js";
import { tongueSelect } from "../ui/tongues.js";
import { store, stored } from "./visitor.js";

ICONS.languages = "M4 6h8M8 4v2M10.500 6c-.5 4-3 6.500-6 8M6 9c1 2.500 3 4 5 5M12.500 20l4-9.500 4 9.500M14 17h5";

// Both languages, because most of those who open the chat never need them.
const EN = {
  title: "Language",
  mine: "I read and write",
  automatic: "Found automatically",
  on: "Read translations",
  off: "Read what was written",
  failed: "That did not get through. Please try again.",
};
/** @type {typeof EN} */
const ZH = {
  title: "语言",
  mine: "我使用的语言",
  automatic: "自动识别",
  on: "阅读译文",
  off: "阅读原文",
  failed: "未能保存，请重试。",
};

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

/**
 * Which translations a visitor reads: in the language it has chosen, else as the server
 * took it last, which the newest line for it says.
 * @param {Line[]} lines
 * @param {string} chosen empty: none
 * @param {(sender: string) => boolean} isMine
 * @returns {import("../ui/items.js").Reads}
 */
export function readsIn(lines, chosen, isMine) {
  const theirs = new Set(lines.filter(({ sender }) => !isMine(sender)).map(({ seq }) => seq));
  const last = lines.filter(({ kind, ref, data }) => kind === "translation" && ref && theirs.has(ref) && data?.for !== "agents").at(-1);
  const wanted = chosen || String(last?.data?.to ?? navigator.language);
  // Until it is there in a language that was just chosen, the one before is read.
  return (line, all) => (isMine(line.sender) ? all.at(-1) : bestOf(all, [wanted, String(visitorsOf(all)?.data.to ?? "")], areSame));
}

/** What the visitor reads of what was translated, in which language, and the menu for both. */
export class Translating {
  /** @param {{model: Model, log: LogView, head: HTMLElement}} parts */
  constructor({ model, log, head }) {
    this.model = model;
    this.reading = log.reading = new Reading();
    /** @type {number | null} the conversation that the server was asked of */
    this.asked = null;
    this.before = { isOffForAll: false, isOffForMe: false };
    this.words = getLocale() === "en" ? EN : ZH;
    const { words } = this;
    this.memory = `${model.word}.language`;
    this.button = h("button", { type: "button", class: "head-button", title: words.title, "aria-label": words.title, "aria-expanded": "false", "aria-controls": "language-bar", onclick: () => this.open(this.bar.hidden) }, icon("languages"));
    this.choice = h("label", null, `${words.mine} `);
    /** @type {HTMLSelectElement | null} */
    this.select = null;
    this.turn = h("button", { type: "button", class: "link", hidden: true, onclick: () => void this.press() }, words.off);
    this.fault = h("p", { class: "fault", role: "alert" });
    this.bar = h("div", { class: "language-bar", id: "language-bar", role: "group", "aria-label": words.title, hidden: true, onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, this.choice, this.turn, this.fault);
    /** All tabs of a browser are one visitor; the server has told each what held when it began. */
    this.tabs = new BroadcastChannel(this.memory);
    this.tabs.onmessage = ({ data }) => this.hear(String(data));
    head.insertBefore(this.button, head.querySelector(".head-button, .head-close"));
    head.after(this.bar);
  }

  get isOff() {
    return this.reading.isOff;
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.bar.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) (this.select ?? this.turn).focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape") return;
    // Escape closes this, not the chat around it.
    event.stopPropagation();
    this.open(false);
    this.button.focus();
  }

  /** @param {Line[]} lines */
  show(lines) {
    const { model, button, words, turn } = this;
    if (model.conversation !== this.asked && model.state === "live") void this.ask();
    const { isOffForAll, isOffForMe } = switchesIn(lines, this.before);
    this.reading.isOff = isOffForAll || isOffForMe;
    // What an agent has switched off for both sides, no visitor switches on.
    button.hidden = isOffForAll || model.state !== "live";
    if (button.hidden && !this.bar.hidden) this.open(false);
    turn.hidden = !model.conversation;
    this.offer();
    const text = isOffForMe ? words.on : words.off;
    if (turn.textContent !== text) fill(turn, text);
    button.classList.toggle("is-off", isOffForMe);
  }

  /** Offer the languages of the site and of the browser, and the usual ones. */
  offer() {
    const { model, words, choice } = this;
    const rules = model.translation();
    choice.hidden = !rules;
    if (!rules) return;
    // Nothing is kept of who has not written yet; it goes along with the first words.
    if (!model.conversation) rules.chosen ||= stored(this.memory);
    if (!this.select) {
      const first = [...rules.languages, ...navigator.languages];
      this.select = tongueSelect({ none: words.automatic, value: rules.chosen, first, props: { onchange: () => void this.choose() } });
      choice.append(this.select);
    } else if (!this.select.disabled && document.activeElement !== this.select) this.select.value = rules.chosen;
  }

  async choose() {
    const { model, select, words } = this;
    const rules = model.translation();
    if (!select || !rules) return;
    const before = rules.chosen;
    fill(this.fault);
    select.disabled = true;
    rules.chosen = select.value;
    try {
      const { language, is_kept } = await model.chat.call("visitor.language", { language: select.value });
      store(this.memory, is_kept ? "" : language);
      this.tabs.postMessage(language);
    } catch {
      // What is refused stays as it was, and may be tried again.
      rules.chosen = select.value = before;
      fill(this.fault, words.failed);
    }
    select.disabled = false;
    select.focus();
    model.changed();
  }

  /** @param {string} language chosen in another tab */
  hear(language) {
    const rules = this.model.translation();
    if (!rules || this.select?.disabled) return;
    rules.chosen = language;
    this.model.changed();
  }

  /** @param {Line[]} lines */
  reads(lines) {
    return readsIn(lines, this.model.translation()?.chosen || "", (sender) => this.model.isMine(sender));
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
    this.turn.disabled = true;
    const { conversation } = this.model;
    const is_on = this.button.classList.contains("is-off");
    // What is refused stays as it is, and may be tried again.
    await this.model.chat.call("conversation.translate", { conversation, is_on }).catch(() => {});
    this.turn.disabled = false;
    this.turn.focus();
  }
}
