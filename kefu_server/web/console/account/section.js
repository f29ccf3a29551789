/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { tongueSelect } from "../../ui/tongues.js";
import { ask } from "../api.js";
import { field, quiet } from "../settings/form.js";
import { languageOf } from "../translation/reads.js";
import { browserOf, codeInput, codesView, newPasswordInput, offerView } from "./parts.js";
import { tell } from "./phrases.js";

/**
 * @typedef {{id: string, address: string, user_agent: string, created_at: number, last_used_at: number, is_current: boolean}} Login
 * @typedef {{login: string, factor: {is_on: boolean, is_required: boolean, codes_left: number}, sessions: Login[]}} Account
 */

/** @param {Desk} desk */
export function make(desk) {
  return new AccountSection(desk);
}

/** One's own account: the language, the password, the second factor, and the logins that are open. */
class AccountSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.fault = h("p", { class: "fault", role: "alert" });
    this.language = h("div", { class: "card" });
    this.password = h("div", { class: "card" });
    this.factor = h("div", { class: "card" });
    this.sessions = h("div", { class: "card" });
    this.element = h("section", null, this.fault, this.language, this.password, this.factor, this.sessions);
  }

  enter() {
    this.showLanguage();
    void this.load();
  }

  async load() {
    const answer = await this.send("account");
    if (!answer) return;
    /** @type {Account} */
    const account = answer;
    this.showPassword(account.login);
    this.showFactor(account);
    this.showSessions(account.sessions);
  }

  /**
   * @param {string} name of the route
   * @param {Record<string, any>} [body]
   * @returns {Promise<any>} null when it was refused, which is said
   */
  async send(name, body) {
    fill(this.fault);
    try {
      const response = await ask(`/api/agent/${name}`, body);
      if (response.ok) return await response.json();
      if (response.status === 401) return location.reload();
      fill(this.fault, this.reason(response.status, name));
    } catch {
      fill(this.fault, tell("failed"));
    }
    this.fault.scrollIntoView({ block: "nearest" });
    return null;
  }

  /**
   * @param {number} status
   * @param {string} name
   */
  reason(status, name) {
    if (status === 429) return tell("later");
    if (status === 400) return tell("weak");
    if (status === 403) return tell(name === "factor/on" || name === "factor/off" ? "codeWrong" : "passwordWrong");
    return tell("failed");
  }

  /**
   * Show a form in a card that sends once at a time, and can be left.
   * @param {HTMLElement} card
   * @param {string} title
   * @param {string} button
   * @param {() => Promise<void>} submit
   * @param {...(Node | string)} parts
   */
  form(card, title, button, submit, ...parts) {
    const send = h("button", { class: "primary" }, button);
    const onsubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      send.disabled = true;
      await submit();
      send.disabled = false;
    };
    const leave = h("button", { type: "button", class: "plain", onclick: () => void this.load() }, tell("cancel"));
    const form = h("form", { onsubmit }, ...parts, h("div", { class: "card-tools" }, send, leave));
    fill(card, h("h2", null, title), form);
    form.querySelector("input")?.focus();
  }

  /** @returns {HTMLInputElement} */
  oldPassword() {
    return h("input", { name: "password", type: "password", required: true, maxLength: 128, autocomplete: "current-password" });
  }

  showLanguage() {
    const { chat, me, directory } = this.desk;
    const first = [...directory.within.values()].map(({ agents_language }) => agents_language);
    const done = h("span", { role: "status" });
    const choose = async () => {
      fill(done);
      fill(this.fault);
      try {
        me.language = (await chat.call("account.put", { language: select.value })).language;
        fill(done, tell("saved"));
        this.desk.changed();
      } catch {
        select.value = languageOf(this.desk);
        fill(this.fault, tell("failed"));
      }
    };
    const select = tongueSelect({ none: tell("languageOfSite"), value: languageOf(this.desk), first, props: { name: "language", onchange: choose } });
    fill(this.language, h("h2", null, tell("language")), field(tell("languageField"), select, tell("languageMore")), h("div", { class: "card-tools" }, done));
  }

  /** @param {string} login */
  showPassword(login) {
    const change = () => {
      const password = this.oldPassword();
      const next = newPasswordInput();
      // So that password managers know whose it is.
      const name = h("input", { name: "username", value: login, autocomplete: "username", hidden: true });
      const submit = async () => {
        // This browser has another login now; what stood on the old one ends.
        if (await this.send("password", { password: password.value, new_password: next.value })) location.reload();
      };
      const parts = [name, field(tell("oldPassword"), password), field(tell("newPassword"), next, tell("newPasswordMore"))];
      this.form(this.password, tell("changePassword"), tell("save"), submit, ...parts, h("p", { class: "more" }, tell("othersEnd")));
      password.focus();
    };
    fill(this.password, h("h2", null, h("bdi", null, login)), h("div", { class: "card-tools" }, quiet(tell("changePassword"), change)));
  }

  /** @param {Account} account */
  showFactor({ factor }) {
    const state = factor.is_on ? tell("factorOn", { count: factor.codes_left }) : tell("factorOff");
    const turn = factor.is_on ? () => this.turnOff() : () => this.turnOn();
    fill(
      this.factor,
      h("h2", null, tell("factor")),
      h("p", { class: "more" }, state, factor.is_required && ` ${tell("factorRequired")}`),
      h("div", { class: "card-tools" }, !(factor.is_on && factor.is_required) && quiet(tell(factor.is_on ? "switchOff" : "switchOn"), turn)),
    );
  }

  turnOn() {
    const password = this.oldPassword();
    const submit = async () => {
      const answer = await this.send("factor", { password: password.value });
      if (answer) this.confirm(answer.offer);
    };
    this.form(this.factor, tell("factor"), tell("goOn"), submit, field(tell("oldPassword"), password));
  }

  /** @param {import("./parts.js").Offer} offer */
  confirm(offer) {
    const code = codeInput();
    const submit = async () => {
      const answer = await this.send("factor/on", { code: code.value });
      if (!answer) return;
      // The login that the connection stood on has ended; it may have been refused.
      const { connection } = this.desk.chat;
      connection.isRefused = false;
      connection.retry(0, 0);
      fill(this.factor, codesView(answer.codes, () => location.reload()));
    };
    this.form(this.factor, tell("factor"), tell("confirm"), submit, offerView(offer), field(tell("code"), code), h("p", { class: "more" }, tell("othersEnd")));
  }

  turnOff() {
    const password = this.oldPassword();
    const code = codeInput();
    const submit = async () => {
      if (await this.send("factor/off", { password: password.value, code: code.value })) await this.load();
    };
    this.form(this.factor, tell("factor"), tell("switchOff"), submit, field(tell("oldPassword"), password), field(tell("code"), code, tell("codeMore")));
  }

  /** @param {Login[]} logins */
  showSessions(logins) {
    const end = async (/** @type {string} */ session) => {
      if (await this.send("sessions/end", { session })) await this.load();
    };
    const others = logins.length > 1 && quiet(tell("endOthers"), () => void end(""));
    const rows = logins.map((login) => {
      const now = Date.now();
      const times = [login.address, tell("since", { time: stamp(login.created_at, now) }), tell("used", { time: stamp(login.last_used_at, now) })];
      return h(
        "li",
        null,
        h("p", { title: login.user_agent }, h("b", null, h("bdi", null, browserOf(login.user_agent) || tell("unknownBrowser"))), login.is_current && h("small", { class: "mark" }, tell("thisOne"))),
        h("p", { class: "more" }, h("bdi", null, times.filter(Boolean).join(" · "))),
        !login.is_current && quiet(tell("end"), () => void end(login.id)),
      );
    });
    fill(this.sessions, h("h2", null, tell("sessions")), h("ol", { class: "changes logins" }, ...rows), h("div", { class: "card-tools" }, others));
  }
}
