/** @import {Composer} from "../ui/composer.js" */
/** @import {Model} from "./model.js" */
import { Refusal } from "../client/chat.js";
import { fill, h } from "../ui/dom.js";
import { getLocale } from "../ui/i18n.js";

const EN = {
  away: "Nobody is here right now.",
  status: "Away",
  open: "Leave a message",
  more: "We will answer you as soon as somebody is back.",
  name: "Name",
  email: "E-mail",
  phone: "Phone",
  body: "Message",
  either: "An e-mail address or a phone number, so that we can answer.",
  send: "Send",
  cancel: "Back",
  thanks: "Thank you. Your message has arrived, and we will answer.",
  rate_limited: "You have left several messages already. Please try again later.",
  bad_request: "Please look at the e-mail address and the phone number again.",
  too_large: "The message is too long.",
  failed: "That did not get through. Please try again.",
};

/** @type {typeof EN} */
const ZH = {
  away: "现在没有客服在线。",
  status: "暂时离开",
  open: "留言",
  more: "客服回来后会尽快回复您。",
  name: "姓名",
  email: "电子邮箱",
  phone: "电话",
  body: "留言内容",
  either: "请填写邮箱或电话，以便我们回复您。",
  send: "提交",
  cancel: "返回",
  thanks: "谢谢，您的留言已收到，我们会尽快回复。",
  rate_limited: "您已留言多次，请稍后再试。",
  bad_request: "请检查邮箱和电话是否正确。",
  too_large: "留言内容过长。",
  failed: "提交未成功，请重试。",
};

/** Asks for a message while nobody is there. */
export class Leave {
  /** @param {{model: Model, composer: Composer, room: Element}} parts */
  constructor({ model, composer, room }) {
    const say = (this.words = getLocale() === "en" ? EN : ZH);
    this.model = model;
    this.composer = composer;
    this.isAway = false;
    this.isOpen = false;
    this.wasForced = false;
    this.key = "";
    const field = (/** @type {"name" | "email" | "phone"} */ name, /** @type {object} */ more) =>
      h("input", { name, "aria-label": say[name], placeholder: say[name], autocomplete: name === "phone" ? "tel" : name, ...more });
    this.name = field("name", { maxLength: 100 });
    this.email = field("email", { type: "email", maxLength: 254 });
    this.phone = field("phone", { type: "tel", maxLength: 40 });
    this.body = h("textarea", { name: "body", rows: 5, required: true, maxLength: 5000, dir: "auto", "aria-label": say.body, placeholder: say.body });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.button = h("button", { class: "primary" }, say.send);
    const back = () => h("button", { type: "button", class: "link", onclick: () => this.open(false) }, say.cancel);
    this.form = h(
      "form",
      { class: "leave", "aria-label": say.open, hidden: true, onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), void this.send()) },
      h("strong", null, say.away),
      h("span", null, say.more),
      this.name, this.email, this.phone, this.body,
      h("small", null, say.either),
      this.fault, this.button, back(),
    );
    this.done = h("div", { class: "leave", role: "status", hidden: true }, h("span", null, say.thanks), back());
    this.bar = h("div", { class: "bar", hidden: true }, say.away, " ", h("button", { type: "button", class: "link", onclick: () => this.open(true) }, say.open));
    room.querySelector(".head")?.after(this.bar);
    room.append(this.form, this.done);
  }

  get status() {
    return this.words.status;
  }

  /** @param {{staffed: boolean, may_chat: boolean}} about */
  show({ staffed, may_chat }) {
    this.isAway = !staffed;
    const isForced = this.isAway && !may_chat;
    if (isForced && !this.wasForced && !this.model.conversation) this.open(true, false);
    this.wasForced = isForced;
    this.bar.hidden = !this.isAway || this.isOpen;
    const isCovered = !this.form.hidden || !this.done.hidden;
    this.composer.element.hidden = isForced || isCovered;
    /** @type {HTMLElement} */ (document.querySelector(".room")).hidden = isCovered;
  }

  /** @param {boolean} isOpen */
  open(isOpen, isAsked = true) {
    this.isOpen = isOpen;
    this.form.hidden = !isOpen;
    this.done.hidden = true;
    fill(this.fault);
    if (isOpen && isAsked) {
      this.body.value ||= this.composer.text;
      this.name.focus();
    }
    this.model.changed();
  }

  async send() {
    const { name, email, phone, body, words } = this;
    const isReachable = Boolean(email.value.trim() || phone.value.trim());
    if (!isReachable || !body.value.trim()) {
      (isReachable ? body : email).focus();
      return fill(this.fault, isReachable ? words.body : words.either);
    }
    // The same key again, until it is known to have arrived: it is kept once.
    this.key ||= crypto.getRandomValues(new Uint32Array(4)).join("-");
    this.button.disabled = true;
    fill(this.fault);
    try {
      await this.model.chat.call("offline.leave", {
        key: this.key, body: body.value, name: name.value, email: email.value, phone: phone.value,
        page: document.referrer, language: getLocale(),
      });
      this.key = body.value = this.composer.text = "";
      this.form.hidden = true;
      this.done.hidden = false;
      this.done.querySelector("button")?.focus();
    } catch (error) {
      const code = error instanceof Refusal ? error.code : "";
      // What was refused as it stands may be changed, and is another message then.
      if (code === "bad_request" || code === "conflict") this.key = "";
      fill(this.fault, words[/** @type {"failed"} */ (code)] ?? words.failed);
    } finally {
      this.button.disabled = false;
      this.model.changed();
    }
  }
}
