/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { field, quiet } from "../settings/form.js";
import { speaker } from "../phrases.js";

/** What is said of texts in other languages. */
export const PHRASES = {
  en: {
    title: "In other languages",
    more: "Whoever reads one of these languages gets the text as it stands here. Empty: the text above.",
    language: "Language",
    languageMore: "A tag such as pt-BR or en.",
    add: "Add a language",
    remove: "Remove the language",
    fill: "Translate what is empty",
    filled: "Read it before you save: services make mistakes, and names in braces must stay.",
    nothing: "Nothing is empty.",
    conflict: "No site here translates.",
    account: "No service is set up, or none takes its key.",
    budget: "The characters of the day are used up.",
    language_: "No service knows one of the languages.",
    later: "The services cannot be reached now.",
    text: "No service takes this text.",
    wrong: "A language is a tag, such as pt-BR.",
  },
  "zh-CN": {
    title: "其他语言",
    more: "使用这些语言的访客会收到此处的文字。留空则使用上面的文字。",
    language: "语言",
    languageMore: "语言标签，例如 pt-BR 或 en。",
    add: "添加语言",
    remove: "删除该语言",
    fill: "翻译留空的文字",
    filled: "保存前请先检查：翻译服务可能出错，花括号里的名称必须保留。",
    nothing: "没有留空的文字。",
    conflict: "这里没有开启翻译的站点。",
    account: "没有配置翻译服务，或密钥无效。",
    budget: "今日字符数已用完。",
    language_: "翻译服务不支持其中一种语言。",
    later: "暂时无法连接翻译服务。",
    text: "翻译服务无法翻译这段文字。",
    wrong: "语言应为标签，例如 pt-BR。",
  },
};
const tell = speaker(PHRASES);
const LANGUAGES = ["en", "zh-CN", "zh-TW", "pt-BR", "es", "fr", "de", "ja", "ko", "ru", "ar", "vi", "th", "id"];
export const LANGUAGES_MAX = 10;

/**
 * @typedef {object} Part a text that is to be had in other languages
 * @property {string} name
 * @property {string} label
 * @property {HTMLTextAreaElement} source where it is written
 *
 * @typedef {{language: string} & Record<string, string>} Texts by the parts' names
 *
 * @typedef {{tag: HTMLInputElement, inputs: HTMLTextAreaElement[], element: HTMLElement}} Block one language
 */

/** The same texts in other languages: written by hand, or by services and then read. */
export class Others {
  /**
   * @param {Desk} desk
   * @param {() => Promise<number[]>} sites of which the first that translates pays
   * @param {Part[]} parts
   * @param {Texts[]} texts
   */
  constructor(desk, sites, parts, texts) {
    this.desk = desk;
    this.sites = sites;
    this.parts = parts;
    /** @type {Block[]} */
    this.blocks = texts.map((each) => this.block(each));
    this.body = h("div", null);
    this.told = h("p", { class: "more", "aria-live": "polite" });
    this.known = h("datalist", { id: `languages-${Math.random().toString(36).slice(2)}` }, ...LANGUAGES.map((value) => h("option", { value })));
    this.adding = quiet(tell("add"), () => {
      const added = this.block({ language: "" });
      this.blocks.push(added);
      this.draw();
      added.tag.focus();
    });
    this.filling = quiet(tell("fill"), () => void this.translate());
    this.element = h("fieldset", { class: "boxes others" }, h("legend", null, tell("title")), h("small", { class: "more" }, tell("more")), this.known, this.body, this.told, h("div", { class: "card-tools" }, this.adding, this.filling));
    this.draw();
  }

  draw() {
    for (const { tag } of this.blocks) tag.setAttribute("list", this.known.id);
    this.adding.hidden = this.blocks.length >= LANGUAGES_MAX;
    this.filling.hidden = !this.blocks.length;
    fill(this.body, ...this.blocks.map(({ element }) => element));
  }

  /**
   * @param {Texts} texts
   * @returns {Block}
   */
  block(texts) {
    const tag = h("input", { value: texts.language, required: true, maxLength: 35, autocomplete: "off", autocapitalize: "none", spellcheck: false });
    const inputs = this.parts.map(({ name, source }) => h("textarea", { value: texts[name] ?? "", maxLength: source.maxLength, rows: 2, dir: "auto" }));
    const remove = quiet(tell("remove"), () => {
      this.blocks = this.blocks.filter((each) => each.tag !== tag);
      this.draw();
    });
    const element = h("div", { class: "other" }, field(tell("language"), tag, tell("languageMore")), ...this.parts.map(({ label }, at) => field(label, inputs[at])), h("div", { class: "card-tools" }, remove));
    return { tag, inputs, element };
  }

  /** @returns {Texts[]} what stands in them now, also what is empty */
  read() {
    return this.blocks.map(({ tag, inputs }) => {
      const texts = this.parts.map(({ name }, at) => [name, inputs[at].value.trim()]);
      return { ...Object.fromEntries(texts), language: tag.value.trim() };
    });
  }

  /** Let services fill what is empty, a language after the other. */
  async translate() {
    this.filling.disabled = true;
    let count = 0;
    let fault = "";
    for (const { tag, inputs } of this.blocks) {
      const missing = this.parts.map(({ source }, at) => ({ text: source.value.trim(), input: inputs[at] })).filter(({ text, input }) => text && !input.value.trim());
      if (!missing.length || fault) continue;
      const told = await this.ask(missing.map(({ text }) => text), tag.value.trim());
      fault = told.fault;
      // Somebody may have begun to write meanwhile.
      for (const [at, text] of told.texts.entries()) if (!missing[at].input.value.trim()) missing[at].input.value = text;
      count += told.texts.length;
    }
    this.filling.disabled = false;
    fill(this.told, fault || tell(count ? "filled" : "nothing"));
  }

  /**
   * @param {string[]} texts
   * @param {string} target
   * @returns {Promise<{texts: string[], fault: string}>}
   */
  async ask(texts, target) {
    if (!target) return { texts: [], fault: tell("wrong") };
    try {
      for (const site of await this.sites()) {
        const found = await this.preview(site, texts, target);
        if (found) return found;
      }
      return { texts: [], fault: tell("conflict") };
    } catch (error) {
      const isWrong = error instanceof Refusal && error.code === "bad_request";
      return { texts: [], fault: tell(isWrong ? "wrong" : "later") };
    }
  }

  /**
   * @param {number} site
   * @param {string[]} texts
   * @param {string} target
   * @returns {Promise<{texts: string[], fault: string} | null>} null: this site does not translate
   */
  async preview(site, texts, target) {
    try {
      const told = await this.desk.chat.call("translation.preview", { site, texts, target });
      if (!told.trouble) return { texts: told.texts.map((/** @type {{text: string}} */ { text }) => text), fault: "" };
      return { texts: [], fault: tell(told.trouble === "language" ? "language_" : told.trouble) };
    } catch (error) {
      if (error instanceof Refusal && error.code === "conflict") return null;
      throw error;
    }
  }
}
