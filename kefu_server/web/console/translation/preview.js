/** @import {Composer} from "../../ui/composer.js" */
/** @import {Desk, Row} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h, icon } from "../../ui/dom.js";
import { nameOf } from "../../ui/reading.js";
import { speaker } from "../phrases.js";

/** What the preview says. */
export const PHRASES = {
  en: {
    look: "Preview",
    lookMore: "See how the visitor will read this (Alt+T)",
    again: "Translate the draft again",
    reads: "The visitor reads, in {language}",
    readsUnknown: "The visitor reads",
    asking: "Translating…",
    same: "Nothing has to be translated: the visitor reads {language}.",
    nobodyKnows: "It is not known yet what the visitor reads.",
    nothing: "Write something first.",
    stale: "The draft has changed.",
    keep: "Keep for next time",
    keepMore: "Whenever somebody writes exactly this on the site, it is translated so.",
    notKept: "It was sent, but its translation was not kept for next time.",
    close: "Without preview",
    tooMany: "Too many in a short time. Try again in a moment.",
    later: "No service translates at this moment. The message can be sent all the same.",
    budget: "The site has translated as much as it may today. The message can be sent all the same.",
    language: "No service translates this text.",
    failed: "The server cannot be reached. Try again.",
  },
  "zh-CN": {
    look: "预览译文",
    lookMore: "查看访客将读到的译文（Alt+T）",
    again: "重新翻译草稿",
    reads: "访客读到的内容（{language}）",
    readsUnknown: "访客读到的内容",
    asking: "正在翻译…",
    same: "无需翻译：访客使用{language}。",
    nobodyKnows: "还不知道访客使用什么语言。",
    nothing: "请先输入内容。",
    stale: "草稿已修改。",
    keep: "以后都这样译",
    keepMore: "此后站点上遇到整条相同的消息时，都使用这段译文。",
    notKept: "消息已发送，但未能保存译文供以后使用。",
    close: "关闭预览",
    tooMany: "操作过于频繁，请稍候再试。",
    later: "暂时没有可用的翻译服务，消息仍可发送。",
    budget: "站点今天的翻译用量已用完，消息仍可发送。",
    language: "没有翻译服务能翻译这段内容。",
    failed: "无法连接服务器，请重试。",
  },
};
const tell = speaker(PHRASES);

/** How the draft will read to the visitor: looked at, corrected, and kept for next time. */
export class Preview {
  /**
   * @param {Desk} desk
   * @param {Composer} composer
   */
  constructor(desk, composer) {
    this.desk = desk;
    this.composer = composer;
    /** @type {Row | null} */
    this.row = null;
    this.turn = 0;
    /** @type {{draft: string, conversation: number, site: number, source: string, target: string, translation: string} | null} what was looked at */
    this.seen = null;
    this.button = h("button", { type: "button", class: "previews", title: tell("lookMore"), hidden: true, onclick: () => void this.look() }, icon("eye"), tell("look"));
    this.title = h("span", { class: "preview-title", role: "status" });
    this.text = h("textarea", { class: "preview-text", rows: 2, maxLength: 4000, dir: "auto", onkeydown: (/** @type {KeyboardEvent} */ event) => this.pressed(event), oninput: () => this.grow() });
    this.keep = h("input", { type: "checkbox" });
    this.keeping = h("label", { class: "preview-keep", title: tell("keepMore") }, this.keep, tell("keep"));
    this.again = h("button", { type: "button", class: "link", hidden: true, onclick: () => void this.look() }, tell("again"));
    const close = h("button", { type: "button", class: "preview-close", "aria-label": tell("close"), title: tell("close"), onclick: () => (this.close(), composer.focus()) }, icon("close"));
    this.element = h("div", { class: "preview", role: "group", hidden: true }, h("div", { class: "preview-head" }, this.title, this.again, close), this.text, this.keeping);
    composer.input.addEventListener("input", () => this.changed());
    composer.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || this.element.hidden) return;
      event.stopPropagation();
      this.close();
      composer.focus();
    });
  }

  /**
   * @param {Row} row
   * @param {boolean} isOffered there is somebody to translate for
   */
  show(row, isOffered) {
    if (this.row?.id !== row.id) this.close();
    this.row = row;
    this.button.hidden = !isOffered || row.is_translated === false || row.visitor_reads_translations === false;
    this.button.disabled = !this.desk.chat.isLive;
    if (this.button.hidden && !this.element.hidden) this.close();
  }

  /** Ask how the draft reads. */
  async look() {
    const { row, composer } = this;
    // What is edited in place is translated anew by itself.
    if (!row || this.button.hidden || composer.instead) return;
    const draft = composer.text.trim();
    const turn = ++this.turn;
    this.seen = null;
    if (!draft) return this.say(tell("nothing"));
    this.say(tell("asking"));
    try {
      const told = await this.desk.chat.call("message.preview", { conversation: row.id, text: draft });
      if (turn === this.turn) this.took(row, draft, told);
    } catch (error) {
      if (turn === this.turn) this.say(this.fault(error), true);
    }
  }

  /**
   * @param {Row} row
   * @param {string} draft
   * @param {Record<string, any>} told
   */
  took(row, draft, { translation, source, target, trouble }) {
    const language = nameOf(target);
    if (trouble) return this.say(tell(trouble === "budget" ? "budget" : trouble === "later" || trouble === "account" ? "later" : "language"), true);
    if (!translation) return this.say(target ? tell("same", { language }) : tell("nobodyKnows"));
    this.say(tell("reads", { language }));
    this.seen = { draft, conversation: row.id, site: row.site_id, source, target, translation };
    this.text.value = translation;
    this.text.lang = target;
    this.text.setAttribute("aria-label", tell("reads", { language }));
    this.text.hidden = this.keeping.hidden = false;
    this.grow();
    this.changed();
    this.text.focus();
  }

  /** @param {unknown} error */
  fault(error) {
    return tell(error instanceof Refusal && error.code === "too_many" ? "tooMany" : "failed");
  }

  /** @param {string} text @param {boolean} [isFault] */
  say(text, isFault = false) {
    fill(this.title, text);
    this.title.classList.toggle("fault", isFault);
    this.element.hidden = false;
    this.keep.checked = false;
    this.again.hidden = !isFault;
    this.text.hidden = this.keeping.hidden = true;
  }

  /** The draft may be another one than what was translated. */
  changed() {
    const { seen } = this;
    if (!seen) return;
    const isStale = this.composer.text.trim() !== seen.draft;
    fill(this.title, isStale ? tell("stale") : tell("reads", { language: nameOf(seen.target) }));
    this.element.classList.toggle("is-stale", isStale);
    this.again.hidden = !isStale;
  }

  grow() {
    this.text.style.setProperty("height", "auto");
    this.text.style.setProperty("height", `${this.text.scrollHeight + 2}px`);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.composer.submit();
  }

  close() {
    this.turn += 1;
    this.seen = null;
    this.element.hidden = true;
    this.element.classList.remove("is-stale");
  }

  /**
   * The message goes out.
   * @param {number} conversation
   * @param {string} body
   * @returns {Record<string, any> | undefined} what goes with it: a translation that the agent has corrected
   */
  taken(conversation, body) {
    const { seen } = this;
    const text = this.text.value.trim();
    const wants = this.keep.checked;
    this.close();
    if (!seen || seen.draft !== body || seen.conversation !== conversation || !text) return undefined;
    if (wants) void this.remember(seen, text);
    return text === seen.translation ? undefined : { translation: { to: seen.target, text } };
  }

  /**
   * @param {NonNullable<Preview["seen"]>} seen
   * @param {string} translation
   */
  async remember({ site, source, target, draft }, translation) {
    try {
      await this.desk.chat.call("glossary.set", { site, source, target, text: draft, translation });
    } catch {
      this.say(tell("notKept"), true);
      this.again.hidden = true;
    }
  }
}
