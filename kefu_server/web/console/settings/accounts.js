/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Account
 * @property {string} id such as a7
 * @property {string} login
 * @property {string} name
 * @property {string} role
 * @property {boolean} is_active
 * @property {number} capacity
 * @property {number[]} sites none: all of them
 */

/** @type {(account: Account) => number} */
const numberOf = (account) => Number(account.id.slice(1));

/** @param {Desk} desk */
export function make(desk) {
  return new AccountsSection(desk);
}

/** Who may log in, as what, for which sites. */
class AccountsSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {{id: number, name: string}[]} */
    this.sites = [];
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("div", null);
    this.adding = h("div", null);
    this.element = h("section", null, this.fault, this.list, this.adding);
    this.isDue = false;
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
    const sites = await this.call("sites.list", {});
    const answer = sites && (await this.call("agents.list", {}));
    if (!answer) return;
    this.sites = sites.sites;
    fill(this.list, ...answer.agents.map((/** @type {Account} */ account) => this.card(account)));
    fill(this.adding, h("button", { type: "button", class: "primary", onclick: () => this.edit(this.adding, null) }, tell("addAccount")));
  }

  /** @param {Account} account */
  card(account) {
    const names = account.sites.map((id) => this.sites.find((site) => site.id === id)?.name ?? String(id));
    const facts = [
      tell(account.role === "admin" ? "admin" : "plainAgent"),
      names.length ? names.join(", ") : tell("allSites"),
      account.capacity ? tell("atOnce", { count: account.capacity }) : tell("atOnceAny"),
    ];
    const isMe = this.desk.me.id === account.id;
    const turn = h("button", { type: "button", class: "plain small", onclick: () => void this.turn(account) }, tell(account.is_active ? "switchOff" : "switchOn"));
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h2", null, h("bdi", null, account.name), " ", h("small", null, h("bdi", null, account.login))),
      h("p", { class: "more" }, h("bdi", null, facts.join(" · ")), !account.is_active && h("b", { class: "off" }, ` · ${tell("isOff")}`)),
      h("div", { class: "card-tools" }, h("button", { type: "button", class: "plain small", onclick: () => this.edit(card, account) }, tell("change")), !isMe && turn),
    );
    return card;
  }

  /** @param {Account} account */
  async turn(account) {
    if (await this.call("agent.put", { agent: numberOf(account), is_active: !account.is_active })) await this.load();
  }

  /**
   * @param {HTMLElement} place where the form stands
   * @param {Account | null} account
   */
  edit(place, account) {
    const login = h("input", { required: true, maxLength: 100, autocapitalize: "none", spellcheck: false, autocomplete: "off" });
    const name = h("input", { required: true, maxLength: 100, value: account?.name ?? "", autocomplete: "off" });
    const password = h("input", { type: "password", required: !account, maxLength: 128, autocomplete: "new-password" });
    const admin = h("input", { type: "checkbox", checked: account?.role === "admin" });
    const capacity = h("input", { type: "number", min: "0", max: "1000", value: String(account?.capacity ?? 0) });
    const boxes = this.sites.map((site) => h("input", { type: "checkbox", value: String(site.id), checked: account?.sites.includes(site.id) ?? false }));
    const save = h("button", { class: "primary" }, tell("save"));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      save.disabled = true;
      const params = {
        name: name.value.trim(), role: admin.checked ? "admin" : "agent", capacity: Number(capacity.value),
        sites: boxes.filter((box) => box.checked).map((box) => Number(box.value)),
        ...(account ? { agent: numberOf(account) } : { login: login.value.trim() }),
        ...(password.value ? { password: password.value } : {}),
      };
      if (await this.call("agent.put", params)) await this.load();
      save.disabled = false;
    };
    const field = (/** @type {string} */ text, /** @type {HTMLElement} */ input, more = "") => h("label", { class: "field" }, text, input, more && h("small", null, more));
    const box = (/** @type {HTMLElement} */ input, /** @type {string} */ text, more = "") => h("label", { class: "switch" }, input, h("span", null, h("b", null, text), more && h("small", null, more)));
    const form = h(
      "form",
      { onsubmit: submit },
      !account && field(tell("login"), login),
      field(tell("siteName"), name, tell("nameMore")),
      field(tell(account ? "newPassword" : "password"), password, tell("passwordMore")),
      box(admin, tell("admin"), tell("adminMore")),
      field(tell("capacity"), capacity, tell("capacityMore")),
      boxes.length > 1 && h("fieldset", { class: "boxes" }, h("legend", null, tell("onlySites")), ...boxes.map((input, at) => box(input, this.sites[at].name))),
      h("div", { class: "card-tools" }, save, h("button", { type: "button", class: "plain", onclick: () => void this.load() }, tell("cancel"))),
    );
    fill(place, account ? form : h("div", { class: "card" }, form));
    (account ? name : login).focus();
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} params
   * @returns {Promise<any>} null when it was refused, which is said
   */
  async call(method, params) {
    try {
      const answer = await this.desk.chat.call(method, params);
      fill(this.fault);
      return answer;
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      fill(this.fault, tell(code === "conflict" ? "accountTaken" : code === "bad_request" ? "accountWrong" : "failed"));
      this.fault.scrollIntoView({ block: "nearest" });
      return null;
    }
  }
}
