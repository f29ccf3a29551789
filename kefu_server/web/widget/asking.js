/** @import {Model} from "./model.js" */
import { fill, h } from "../ui/dom.js";
import { getLocale } from "../ui/i18n.js";

// Both languages, because only some sites ask.
const EN = {
  title: "Before we begin",
  name: "Name",
  email: "E-mail",
  tel: "Phone",
  question: "What is it about?",
  department: "Who can help?",
  anybody: "Anybody",
  may: "{name} (optional)",
  begin: "Start the chat",
  bad_request: "Please check what you have filled in.",
  not_found: "This choice is no longer offered. Please reload.",
  rate_limited: "Please wait a moment and try again.",
  failed: "That did not get through. Please try again.",
};

/** @type {typeof EN} */
const ZH = {
  title: "开始咨询前",
  name: "姓名",
  email: "电子邮箱",
  tel: "电话",
  question: "想咨询什么？",
  department: "咨询部门",
  anybody: "不指定",
  may: "{name}（选填）",
  begin: "开始咨询",
  bad_request: "请检查填写的内容。",
  not_found: "该选项已不可用，请刷新页面。",
  rate_limited: "请稍候再试。",
  failed: "提交未成功，请重试。",
};

/**
 * @typedef {"no" | "may" | "must"} Asked
 * @typedef {object} FormAsked what a site asks before the first conversation
 * @property {Asked} name
 * @property {Asked} email
 * @property {Asked} phone
 * @property {Asked} question
 * @property {Asked} department
 * @property {{id: number, name: string}[]} departments
 */

/** Asks who somebody is and what it is about, before the first conversation. */
export class Asking {
  /**
   * @param {object} parts
   * @param {Model} parts.model
   * @param {HTMLElement} parts.room
   * @param {FormAsked} parts.form
   */
  constructor({ model, room, form }) {
    const say = (this.words = getLocale() === "en" ? EN : ZH);
    this.model = model;
    this.asked = form;
    const line = (/** @type {"name" | "email" | "phone"} */ key, /** @type {"name" | "email" | "tel"} */ type, /** @type {number} */ maxLength) =>
      h("input", { type, maxLength, autocomplete: type, ...this.named(say[type], form[key]) });
    this.name = line("name", "name", 100);
    this.email = line("email", "email", 254);
    this.phone = line("phone", "tel", 40);
    this.question = h("textarea", { rows: 3, maxLength: 4000, dir: "auto", ...this.named(say.question, form.question) });
    const choice = form.departments.map(({ id, name }) => h("option", { value: String(id) }, name));
    this.department = h("select", { "aria-label": say.department, required: form.department === "must" }, h("option", { value: "" }, form.department === "must" ? say.department : say.anybody), ...choice);
    this.fault = h("p", { class: "fault", role: "alert" });
    this.button = h("button", { class: "primary" }, say.begin);
    const has = (/** @type {Asked} */ asked, /** @type {HTMLElement} */ field) => asked !== "no" && field;
    this.element = h(
      "form",
      { class: "asking", "aria-label": say.title, hidden: true, onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), void this.begin()) },
      h("strong", null, say.title),
      has(form.name, this.name),
      has(form.email, this.email),
      has(form.phone, this.phone),
      form.departments.length > 0 && has(form.department, this.department),
      has(form.question, this.question),
      this.fault,
      this.button,
    );
    room.after(this.element);
  }

  /**
   * @param {string} name
   * @param {Asked} asked
   */
  named(name, asked) {
    const text = asked === "may" ? this.words.may.replace("{name}", name) : name;
    return { required: asked === "must", placeholder: text, "aria-label": text };
  }

  /**
   * What the page has told of its visitor need not be typed.
   * @param {Record<string, any>} known
   */
  prefill(known) {
    for (const name of /** @type {const} */ (["name", "email", "phone"])) this[name].value ||= known[name] ?? "";
  }

  /**
   * @param {boolean} isCovered something else is in its place
   * @returns {boolean} it is asked now, and nobody can write yet
   */
  show(isCovered) {
    const { model } = this;
    const isAsked = !model.conversation && model.state !== "stopped" && !model.hasBegun;
    this.element.hidden = !isAsked || isCovered;
    return isAsked;
  }

  async begin() {
    const { model, words, asked } = this;
    const question = this.question.value.trim();
    this.button.disabled = true;
    model.opening = {
      answers: { name: this.name.value, email: this.email.value, phone: this.phone.value },
      ...(this.department.value ? { team: Number(this.department.value) } : {}),
    };
    try {
      await model.opened();
      if (question && asked.question !== "no") model.send(question);
      fill(this.fault);
    } catch (error) {
      const code = /** @type {{code?: string}} */ (error).code ?? "";
      fill(this.fault, words[/** @type {"failed"} */ (code)] ?? words.failed);
    }
    this.button.disabled = false;
    model.changed();
  }
}
