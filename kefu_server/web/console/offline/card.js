/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Left a message that a visitor left
 * @property {number} id
 * @property {number} site_id
 * @property {string} name
 * @property {string} email
 * @property {string} phone
 * @property {string} body
 * @property {string} page
 * @property {"open" | "handled"} status
 * @property {string | null} agent
 * @property {number} created_at
 * @property {number} handled_at
 * @property {number | null} conversation
 *
 * @typedef {object} Mail
 * @property {number} id
 * @property {number} about
 * @property {boolean} is_notice
 * @property {string} recipient
 * @property {"queued" | "done" | "failed"} status
 * @property {number} attempts
 * @property {string} error
 */

/** One left message, its mails, and what can be done about it. */
export class Card {
  /**
   * @param {Desk} desk
   * @param {() => void} changed
   */
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
    this.key = "";
    this.mark = "";
    this.facts = h("div", { class: "left-facts" });
    this.mails = h("ul", { class: "left-mails" });
    this.tools = h("div", { class: "card-tools left-tools" });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.text = h("textarea", { dir: "auto", maxLength: 10_000 });
    this.sending = h("button", { class: "primary" }, tell("send"));
    this.form = h(
      "form",
      { hidden: true, onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), void this.mail()) },
      h("label", { class: "field" }, tell("mailText"), this.text),
      h("div", { class: "card-tools" }, this.sending, h("button", { type: "button", class: "plain", onclick: () => this.write(false) }, tell("cancel"))),
    );
    this.element = h("li", { class: "card left" }, this.facts, this.mails, this.form, this.fault, this.tools);
  }

  /**
   * @param {Left} row
   * @param {Mail[]} mails
   * @param {string} site
   * @param {string} mailProblem
   */
  show(row, mails, site, mailProblem) {
    const who = row.agent ? this.desk.nameOf(row.agent) : "";
    const mark = JSON.stringify([row, mails, site, mailProblem, who]);
    if (mark === this.mark) return;
    this.mark = mark;
    this.row = row;
    const now = Date.now();
    const name = row.name || row.email || row.phone || tell("noName");
    const page = /^https?:\/\//.test(row.page) && h("p", { class: "left-page" }, `${tell("page")} `, h("a", { href: row.page, target: "_blank", rel: "noopener noreferrer" }, h("bdi", null, row.page)));
    fill(
      this.facts,
      h("div", { class: "left-head" }, h("h2", null, h("bdi", null, name)), site && h("span", { class: "chip" }, h("bdi", null, site)), h("time", null, stamp(row.created_at, now))),
      h("p", { class: "left-reach" }, row.email && h("a", { href: `mailto:${row.email}` }, row.email), row.phone && h("a", { href: `tel:${row.phone.replace(/[^+0-9]/g, "")}` }, row.phone)),
      h("p", { class: "left-body", dir: "auto" }, row.body),
      page,
      row.status === "handled" && h("p", { class: "more" }, tell("handledBy", { name: who, time: stamp(row.handled_at, now) })),
    );
    fill(this.mails, ...mails.map((mail) => this.mailLine(mail)));
    this.showTools(row, mailProblem);
  }

  /**
   * @param {Left} row
   * @param {string} mailProblem
   */
  showTools(row, mailProblem) {
    const isOpen = row.status === "open";
    const why = mailProblem ? tell("noMail") : row.email ? "" : tell("noAddress");
    const button = (/** @type {string} */ kind, /** @type {string} */ text, /** @type {() => void} */ act) =>
      h("button", { type: "button", class: kind, onclick: act }, text);
    const byMail = button("plain", tell("answerMail"), () => this.write(true));
    byMail.disabled = Boolean(why);
    fill(
      this.tools,
      isOpen && button("primary", tell("answerChat"), () => void this.chat()),
      Boolean(row.conversation) && !isOpen && button("plain", tell("show"), () => this.desk.show(Number(row.conversation))),
      byMail,
      isOpen
        ? button("plain", tell("handle"), () => void this.call("offline.handle"))
        : button("plain", tell("reopen"), () => void this.call("offline.reopen")),
      why && h("small", { class: "left-why" }, why),
    );
  }

  /** @param {Mail} mail */
  mailLine(mail) {
    const isLate = mail.status === "queued" && mail.attempts > 0 && mail.error;
    const state = { queued: isLate ? tell("retrying", { count: mail.attempts }) : tell("queued"), done: tell("done"), failed: tell("gaveUp") }[mail.status];
    const again = () => void this.call("mail.resend", { mail: mail.id });
    return h(
      "li",
      { class: mail.status },
      h("span", null, tell(mail.is_notice ? "noticeTo" : "mailTo", { address: mail.recipient }), ": ", h("b", null, state)),
      mail.error && h("small", null, h("bdi", null, mail.error)),
      mail.error && h("button", { type: "button", class: "plain small", onclick: again }, tell("again")),
    );
  }

  /** @param {boolean} isOpen */
  write(isOpen) {
    this.form.hidden = !isOpen;
    this.tools.hidden = isOpen;
    fill(this.fault);
    if (isOpen) this.text.focus();
    else this.tools.querySelector("button")?.focus();
  }

  async mail() {
    const text = this.text.value.trim();
    if (!text) return this.text.focus();
    // The same key until it is known to be kept: one answer is one mail.
    this.key ||= `k_${crypto.getRandomValues(new Uint32Array(4)).join("_")}`;
    this.sending.disabled = true;
    const isKept = await this.call("offline.answer_by_mail", { message: this.row?.id, text, key: this.key });
    this.sending.disabled = false;
    if (!isKept) return;
    this.key = this.text.value = "";
    this.write(false);
  }

  async chat() {
    const answer = await this.call("offline.answer_by_conversation");
    if (answer) this.desk.show(answer.conversation.id);
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} [params]
   */
  async call(method, params = { message: this.row?.id }) {
    fill(this.fault);
    try {
      return await this.desk.chat.call(method, params);
    } catch (error) {
      const isTold = error instanceof Refusal && error.code !== "disconnected";
      fill(this.fault, isTold ? error.message : tell("failed"));
      return null;
    } finally {
      this.changed();
    }
  }
}
