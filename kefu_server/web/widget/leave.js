/** @import {Composer} from "../ui/composer.js" */
/** @import {Model} from "./model.js" */
import { Refusal } from "../client/chat.js";
import { fill, h } from "../ui/dom.js";
import { getLocale, t } from "../ui/i18n.js";

// Both languages, because few of those who open the chat ever load this.
const EN = {
  away: "Nobody is here right now",
  closed: "We are closed",
  until: "We are closed until {when}",
  open: "Leave a message",
  name: "Name",
  email: "E-mail",
  tel: "Phone",
  body: "Message",
  either: "E-mail or phone, so that we can answer.",
  back: "Back",
  thanks: "Thank you. Your message has arrived, and we will answer.",
  rate_limited: "You have left several messages. Please try again later.",
  bad_request: "Please check the e-mail address and the phone number; one is needed.",
  failed: "That did not get through. Please try again.",
};

/** @type {typeof EN} */
const ZH = {
  away: "现在没有客服在线",
  closed: "现在不在服务时间",
  until: "现在不在服务时间，{when} 开始服务",
  open: "留言",
  name: "姓名",
  email: "电子邮箱",
  tel: "电话",
  body: "留言内容",
  either: "请填写邮箱或电话，以便回复您。",
  back: "返回",
  thanks: "谢谢，留言已收到，我们会尽快回复您。",
  rate_limited: "您已留言多次，请稍后再试。",
  bad_request: "请检查邮箱和电话，至少填写一项。",
  failed: "提交未成功，请重试。",
};

const WEEK_MS = 6 * 86_400_000;

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} such as "Monday 9:00", by the visitor's own clock
 */
export function whenText(at, now) {
  /** @type {Intl.DateTimeFormatOptions} */
  const day = at - now < WEEK_MS ? { weekday: "long" } : { month: "long", day: "numeric" };
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(getLocale(), { ...(isToday ? {} : day), hour: "numeric", minute: "2-digit" }).format(at);
}

/** Asks for a message while nobody is there. */
export class Leave {
  /** @param {{model: Model, composer: Composer, room: HTMLElement}} parts */
  constructor({ model, composer, room }) {
    const say = (this.words = getLocale() === "en" ? EN : ZH);
    this.model = model;
    this.composer = composer;
    this.room = room;
    this.isAway = this.wasForced = false;
    /** Nobody can write into the chat. */
    this.isClosed = false;
    this.key = "";
    const field = (/** @type {"name" | "email" | "tel"} */ type, /** @type {number} */ maxLength) =>
      h("input", { type, maxLength, autocomplete: type, "aria-label": say[type], placeholder: say[type] });
    this.name = field("name", 100);
    this.email = field("email", 254);
    this.phone = field("tel", 40);
    this.body = h("textarea", { rows: 5, required: true, maxLength: 5000, dir: "auto", "aria-label": say.body, placeholder: say.body });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.button = h("button", { class: "primary" }, t("send"));
    this.form = h("form", { class: "leave", "aria-label": say.open, hidden: true, onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), void this.send()) });
    this.why = say.away;
    this.reason = h("span", null, this.why);
    this.bar = h("div", { class: "leave-bar", hidden: true }, this.reason, " · ", this.link(say.open, true));
    room.before(this.bar, this.form);
  }

  /**
   * @param {string} text
   * @param {boolean} isOpen
   */
  link(text, isOpen) {
    return h("button", { type: "button", class: "link", onclick: () => this.open(isOpen) }, text);
  }

  /** @param {{staffed: boolean, closed?: boolean, opens_at?: number | null, may_chat: boolean}} about */
  show({ staffed, closed, opens_at, may_chat }) {
    this.isAway = !staffed;
    this.tell(closed ?? false, opens_at ?? null);
    // Whoever is being answered is not sent away when the hour strikes.
    const isForced = this.isAway && !may_chat && !(closed && this.model.isAnswered);
    const isDue = isForced || (this.isAway && closed);
    if (isDue && !this.wasForced && !this.model.conversation) this.open(true);
    this.wasForced = isDue ?? false;
    const isCovered = (this.room.hidden = !this.form.hidden);
    this.bar.hidden = !this.isAway || isCovered;
    this.isClosed = isForced || isCovered;
  }

  /**
   * Say why nobody answers, and until when.
   * @param {boolean} isClosed
   * @param {number | null} opensAt
   */
  tell(isClosed, opensAt) {
    const { away, closed, until } = this.words;
    const when = opensAt ? whenText(opensAt, Date.now() - this.model.skew) : "";
    this.why = isClosed ? (when ? until.replace("{when}", when) : closed) : away;
    for (const place of [this.reason, this.form.querySelector("p.leave-why")]) {
      if (place && place.textContent !== this.why) fill(place, this.why);
    }
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    const { words, name, body } = this;
    this.form.hidden = !isOpen;
    if (!isOpen) return this.model.changed();
    fill(this.fault);
    body.value ||= this.composer.text;
    fill(this.form, h("strong", null, words.open), h("p", { class: "leave-why" }, this.why), name, this.email, this.phone, body, h("small", null, words.either), this.fault, this.button, this.link(words.back, false));
    name.focus();
    this.model.changed();
  }

  async send() {
    const { name, email, phone, body, words } = this;
    // The same key again, until it is known to have arrived: it is kept once.
    this.key ||= crypto.getRandomValues(new Uint32Array(4)).join("-");
    this.button.disabled = true;
    try {
      await this.model.chat.call("offline.leave", {
        key: this.key, body: body.value, name: name.value, email: email.value, phone: phone.value,
        page: document.referrer, language: getLocale(),
      });
      this.key = body.value = this.composer.text = "";
      fill(this.form, h("p", { role: "status" }, words.thanks), this.link(words.back, false));
      this.form.querySelector("button")?.focus();
    } catch (error) {
      const code = error instanceof Refusal ? error.code : "";
      // What was refused as it stands is changed, and is another message then.
      if (code === "bad_request") this.key = "";
      fill(this.fault, words[/** @type {"failed"} */ (code)] ?? words.failed);
    }
    this.button.disabled = false;
  }
}
