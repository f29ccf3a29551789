/** @import {Line} from "../ui/items.js" */
/** @import {Model} from "./model.js" */
import { fill, h, icon, ICONS } from "../ui/dom.js";
import { getLocale, t } from "../ui/i18n.js";

ICONS.door = "M14 4H7.500A1.500 1.500 0 0 0 6 5.500v13A1.500 1.500 0 0 0 7.500 20H14M11 12h9M16.500 8.200L20.300 12l-3.800 3.800";

// Both languages, because most of those who open the chat never come so far.
const EN = {
  end: "End the conversation",
  sure: "End this conversation?",
  yes: "End",
  no: "Go on",
  how: "How was this conversation?",
  of: "{score} of 5",
  comment: "Would you like to add something? (optional)",
  later: "Not now",
  thanks: "Thank you for your rating.",
  change: "Change",
  failed: "That did not get through. Please try again.",
  conflict: "This can no longer be changed.",
};

/** @type {typeof EN} */
const ZH = {
  end: "结束会话",
  sure: "结束本次会话？",
  yes: "结束",
  no: "继续",
  how: "您对本次服务满意吗？",
  of: "{score} 分（满分 5 分）",
  comment: "还想补充什么吗？（选填）",
  later: "暂不评价",
  thanks: "感谢您的评价。",
  change: "修改",
  failed: "提交未成功，请重试。",
  conflict: "已不能再修改。",
};

const WITHIN_MS = 72 * 3_600_000;

/**
 * @typedef {object} Ending where a conversation stands
 * @property {Line | null} close the line that ended it; null: it is open, or not begun
 * @property {Line | null} rating what was said of this end
 * @property {boolean} isBegun the visitor has written, and it goes on
 * @property {boolean} isAnswered an agent has written
 */

/**
 * @param {Line[]} lines in the order of the log
 * @returns {Ending}
 */
export function endingOf(lines) {
  /** @type {Ending} */
  const found = { close: null, rating: null, isBegun: false, isAnswered: false };
  for (const line of lines) {
    const kind = line.kind === "erased" ? line.data?.was : line.kind;
    const isSaid = kind === "text" || kind === "file";
    const isVisitors = line.sender.startsWith("v");
    if (isSaid && line.sender.startsWith("a")) found.isAnswered = true;
    if (line.kind === "close") Object.assign(found, { close: line, rating: null, isBegun: false });
    else if (line.kind === "rating") found.rating = line;
    else if (line.kind === "assignment" || line.kind === "reopen" || (isSaid && isVisitors)) {
      Object.assign(found, { close: null, rating: null, isBegun: found.isBegun || isVisitors });
    }
  }
  return found;
}

/** The end of a conversation: a way to it, and what the visitor says of it. */
export class EndingView {
  /** @param {{model: Model, asks: () => boolean, head: HTMLElement, room: HTMLElement}} parts */
  constructor({ model, asks, head, room }) {
    const say = (this.words = getLocale() === "en" ? EN : ZH);
    this.model = model;
    this.asks = asks;
    this.mark = "";
    this.isChanging = false;
    /** @type {number[]} ends that are not to be asked about any more */
    this.left = [];
    this.button = h("button", { type: "button", class: "head-button", "aria-label": say.end, title: say.end, hidden: true, onclick: () => this.ask(true) }, icon("door"));
    this.yes = h("button", { type: "button", class: "primary", onclick: () => void this.end() }, say.yes);
    const no = h("button", { type: "button", class: "link", onclick: () => this.ask(false) }, say.no);
    this.sure = h("div", { class: "end-bar", role: "alertdialog", "aria-label": say.sure, hidden: true }, h("span", null, say.sure), this.yes, no);
    this.card = h("section", { class: "rate", "aria-label": say.how, hidden: true });
    head.insertBefore(this.button, head.querySelector(".head-close"));
    room.before(this.sure);
    room.after(this.card);
  }

  show() {
    const { model } = this;
    const ending = endingOf(model.lines().filter((line) => line.seq));
    this.button.hidden = !ending.isBegun || model.state !== "live";
    if (this.button.hidden) this.sure.hidden = true;
    const seq = ending.close?.seq ?? 0;
    const isOld = Date.now() - model.skew > (ending.close?.at ?? 0) + WITHIN_MS;
    const isAsked = this.asks() && seq > 0 && ending.isAnswered && !isOld && !this.left.includes(seq);
    this.card.hidden = !isAsked;
    const mark = JSON.stringify([seq, ending.rating?.seq, this.isChanging]);
    if (!isAsked || mark === this.mark) return;
    this.mark = mark;
    if (ending.rating && !this.isChanging) this.thank(seq, ending.rating);
    else this.form(seq, ending.rating);
  }

  /** @param {boolean} isAsked whether the visitor is to say it once more */
  ask(isAsked) {
    this.sure.hidden = !isAsked;
    if (isAsked) this.yes.focus();
  }

  async end() {
    this.ask(false);
    try {
      await this.model.chat.call("conversation.end", { conversation: this.model.conversation });
    } catch {
      // The button is still there.
    }
  }

  /**
   * @param {number} seq
   * @param {Line} rating
   */
  thank(seq, rating) {
    const { words } = this;
    const change = h("button", { type: "button", class: "link", onclick: () => this.change(true) }, words.change);
    const close = h("button", { type: "button", class: "rate-close", "aria-label": words.later, onclick: () => this.leave(seq) }, icon("close"));
    fill(this.card, h("p", { class: "rate-thanks", role: "status" }, words.thanks, " ", h("b", { class: "rate-given" }, "★".repeat(rating.data?.score ?? 0)), " ", change), close);
  }

  /** @param {boolean} isChanging */
  change(isChanging) {
    this.isChanging = isChanging;
    this.model.changed();
  }

  /** @param {number} seq */
  leave(seq) {
    if (this.isChanging) return this.change(false);
    this.left.push(seq);
    this.model.changed();
  }

  /**
   * @param {number} seq
   * @param {Line | null} before what was said first
   */
  form(seq, before) {
    const { words } = this;
    const given = before?.data?.score ?? 0;
    const more = h("textarea", { rows: 2, maxLength: 1000, dir: "auto", "aria-label": words.comment, placeholder: words.comment, value: before?.body ?? "", hidden: !given });
    const fault = h("p", { class: "fault", role: "alert" });
    const send = h("button", { class: "primary", hidden: !given }, t("send"));
    const stars = [1, 2, 3, 4, 5].map((score) => {
      const input = h("input", { type: "radio", name: "score", value: String(score), checked: score === given });
      return h("label", null, input, h("span", { "aria-hidden": "true" }, "★"), h("span", { class: "only-heard" }, words.of.replace("{score}", String(score))));
    });
    const chosen = () => stars.findIndex((star) => star.querySelector("input")?.checked) + 1;
    const paint = () => stars.forEach((star, at) => star.classList.toggle("on", at < chosen()));
    const picked = () => {
      paint();
      more.hidden = send.hidden = false;
    };
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      send.disabled = true;
      const code = await this.rate(chosen(), more.value);
      send.disabled = false;
      if (code) fill(fault, words[/** @type {"failed"} */ (code)] ?? words.failed);
    };
    paint();
    fill(
      this.card,
      h(
        "form",
        { onsubmit: submit },
        h("fieldset", { class: "stars", onchange: picked }, h("legend", null, words.how), ...stars),
        more,
        fault,
        h("div", { class: "rate-tools" }, send, h("button", { type: "button", class: "link", onclick: () => this.leave(seq) }, words.later)),
      ),
    );
  }

  /**
   * @param {number} score
   * @param {string} comment
   * @returns {Promise<string>} why it was not taken; nothing if it was
   */
  async rate(score, comment) {
    try {
      await this.model.chat.call("conversation.rate", { conversation: this.model.conversation, score, comment });
      this.change(false);
      return "";
    } catch (error) {
      return /** @type {{code?: string}} */ (error).code ?? "failed";
    }
  }
}
