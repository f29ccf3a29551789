/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { Refusal } from "../../client/chat.js";
import { box, field } from "../settings/form.js";
import { speaker } from "../phrases.js";

/** What the section says. */
export const PHRASES = {
  en: {
    more: "Whether visitors and agents of each site read each other in their own languages. What they write then goes to the services that this server has; originals stay.",
    isOn: "Translate messages",
    language: "The agents' language",
    languageMore: "A tag such as zh-CN, en or pt-BR. Empty: it is not said.",
    chars: "Characters a day that go to services",
    charsMore: "0: any number. Beyond it messages stay as they are until the next day.",
    warn: "Warn in the log at, in percent of them",
    holds: "Seconds an agent's message waits for its translation",
    holdsMore: "The visitor sees it at the latest after so long, as it was written. 0: at once; at most 10.",
    save: "Save",
    saved: "Saved",
    wrong: "A language is a tag, such as pt-BR.",
    failed: "The server cannot be reached. Try again.",
  },
  "zh-CN": {
    more: "各站点的访客与客服是否以各自的语言阅读对方的消息。开启后，消息内容会发送给本服务器配置的翻译服务；原文始终保留。",
    isOn: "翻译消息",
    language: "客服使用的语言",
    languageMore: "语言标签，例如 zh-CN、en 或 pt-BR。留空则不指定。",
    chars: "每天发送给翻译服务的字符数上限",
    charsMore: "0 表示不限。超出后，消息在次日之前不再翻译。",
    warn: "用量达到上限的百分之多少时写入日志警告",
    holds: "客服消息等待译文的秒数",
    holdsMore: "到时仍无译文，访客先看到原文。0 表示不等待，最多 10 秒。",
    save: "保存",
    saved: "已保存",
    wrong: "语言应为标签，例如 pt-BR。",
    failed: "无法连接服务器，请重试。",
  },
};
const tell = speaker(PHRASES);

/** @param {Desk} desk */
export function make(desk) {
  return new TranslationSection(desk);
}

/** How each site translates. */
class TranslationSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.isDue = false;
    this.body = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, tell("more")), this.body);
  }

  enter() {
    this.isDue = true;
    this.show();
  }

  show() {
    if (!this.isDue || !this.desk.chat.isLive) return;
    this.isDue = false;
    void this.load();
  }

  async load() {
    try {
      const { sites } = await this.desk.chat.call("sites.list", {});
      fill(this.body, ...sites.map((/** @type {any} */ site) => this.card(site)));
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")));
    }
  }

  /** @param {{id: number, name: string, settings: {translation: {is_on: boolean, language: string, holds_s: number, chars_per_day: number, warn_at: number}}}} site */
  card({ id, name, settings: { translation } }) {
    const number = (/** @type {number} */ value, /** @type {number} */ min, /** @type {number} */ max) => h("input", { type: "number", required: true, min: String(min), max: String(max), step: "1", value: String(value) });
    const isOn = h("input", { type: "checkbox", checked: translation.is_on });
    const language = h("input", { type: "text", maxlength: "35", value: translation.language, autocomplete: "off", spellcheck: false });
    const holds = number(translation.holds_s, 0, 10);
    const chars = number(translation.chars_per_day, 0, 1_000_000_000);
    const warn = number(Math.round(translation.warn_at * 100), 10, 100);
    const fault = h("p", { class: "fault", role: "alert" });
    const saved = h("span", { role: "status" });
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      fill(fault);
      fill(saved);
      const changed = {
        is_on: isOn.checked,
        language: language.value.trim(),
        holds_s: Number(holds.value),
        chars_per_day: Number(chars.value),
        warn_at: Number(warn.value) / 100,
      };
      try {
        await this.desk.chat.call("site.put", { site: id, settings: { translation: changed } });
        fill(saved, tell("saved"));
        this.desk.directory.learn();
      } catch (error) {
        fill(fault, tell(error instanceof Refusal && error.code === "bad_request" ? "wrong" : "failed"));
      }
    };
    return h(
      "form",
      { class: "card", onsubmit: save, "aria-label": name },
      h("h2", null, h("bdi", null, name)),
      box(isOn, tell("isOn")),
      field(tell("language"), language, tell("languageMore")),
      field(tell("holds"), holds, tell("holdsMore")),
      field(tell("chars"), chars, tell("charsMore")),
      field(tell("warn"), warn),
      fault,
      h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("save")), saved),
    );
  }
}
