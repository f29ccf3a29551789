/** @import {Desk, Row} from "../desk.js" */
import { fill, h, icon } from "../../ui/dom.js";
import { speaker } from "../phrases.js";

/** What the switch says. */
export const PHRASES = {
  en: {
    isOn: "Translated",
    isOff: "Not translated",
    visitorOff: "The visitor reads originals",
    turnOff: "Translate nothing more in this conversation, for both sides",
    turnOn: "Translate this conversation again",
  },
  "zh-CN": {
    isOn: "翻译中",
    isOff: "未翻译",
    visitorOff: "访客阅读原文",
    turnOff: "此会话不再翻译（双方）",
    turnOn: "恢复翻译此会话",
  },
};
const tell = speaker(PHRASES);

/** Says whether the open conversation is translated, and switches it. */
export class TranslationSwitch {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Row | null} */
    this.row = null;
    this.element = h("button", { type: "button", class: "translates", role: "switch", hidden: true, onclick: () => void this.press() });
  }

  /** @param {Row | undefined} row @returns {string} what agents of its site read translations in; empty: nothing is translated there */
  languageOf(row) {
    return (row && this.desk.directory.within.get(row.site_id)?.agents_language) ?? "";
  }

  /** @param {Row} row */
  show(row) {
    this.row = row;
    const { element } = this;
    const isOn = row.is_translated !== false;
    element.hidden = !this.languageOf(row);
    element.disabled = !this.desk.chat.isLive;
    const text = tell(!isOn ? "isOff" : row.visitor_reads_translations === false ? "visitorOff" : "isOn");
    const mark = `${isOn} ${text}`;
    if (element.dataset.mark === mark) return;
    element.dataset.mark = mark;
    element.setAttribute("aria-checked", String(isOn));
    element.title = tell(isOn ? "turnOff" : "turnOn");
    fill(element, icon("languages"), text);
  }

  async press() {
    const { row, element } = this;
    if (!row) return;
    element.disabled = true;
    // What is refused stays as it is, and may be tried again.
    await this.desk.chat.call("conversation.translate", { conversation: row.id, is_on: row.is_translated === false }).catch(() => {});
    element.disabled = false;
  }
}
