/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { ownName, tongueSelect } from "../../ui/tongues.js";
import { box, field, quiet } from "./form.js";
import { tell } from "./phrases.js";
import { ListSection } from "./section.js";

/**
 * @typedef {object} Account
 * @property {string} id such as a7
 * @property {string} login
 * @property {string} name
 * @property {string} role
 * @property {boolean} is_active
 * @property {number} capacity
 * @property {number[]} sites none: all of them
 * @property {string} language what it reads; empty: what its sites say
 */

/** @type {(account: Account) => number} */
const numberOf = (account) => Number(account.id.slice(1));

/** @returns {string} 120 random bits */
function oneTimePassword() {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** @param {Desk} desk */
export function make(desk) {
  return new AccountsSection(desk);
}

/** Who may log in, as what, for which sites. */
class AccountsSection extends ListSection {
  /** @type {{id: number, name: string, agents_language: string}[]} */
  sites = [];

  async load() {
    const sites = await this.call("sites.list");
    const answer = sites && (await this.call("agents.list"));
    if (!answer) return;
    this.sites = sites.sites;
    fill(this.list, ...answer.agents.map((/** @type {Account} */ account) => this.card(account)));
    this.offer(tell("addAccount"), (place) => this.edit(place, null));
  }

  /** @param {Account} account */
  card(account) {
    const names = account.sites.map((id) => this.sites.find((site) => site.id === id)?.name ?? String(id));
    const facts = [
      tell(account.role === "admin" ? "admin" : "plainAgent"),
      names.length ? names.join(", ") : tell("allSites"),
      account.capacity ? tell("atOnce", { count: account.capacity }) : tell("atOnceAny"),
      ...(account.language ? [ownName(account.language)] : []),
    ];
    const isMe = this.desk.me.id === account.id;
    const turn = quiet(tell(account.is_active ? "switchOff" : "switchOn"), () => void this.turn(account));
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h2", null, h("bdi", null, account.name), " ", h("small", null, h("bdi", null, account.login))),
      h("p", { class: "more" }, h("bdi", null, facts.join(" · ")), !account.is_active && h("b", { class: "off" }, ` · ${tell("isOff")}`)),
      h("div", { class: "card-tools" }, quiet(tell("change"), () => this.edit(card, account)), !isMe && turn),
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
    const isMe = this.desk.me.id === account?.id;
    // Good for one login: whoever gives it on has to read it.
    const password = h("input", { required: !account, maxLength: 128, autocomplete: "off", autocapitalize: "none", spellcheck: false });
    const make = quiet(tell("makePassword"), () => (password.value = oneTimePassword()));
    const admin = h("input", { type: "checkbox", checked: account?.role === "admin" });
    const capacity = h("input", { type: "number", min: "0", max: "1000", value: String(account?.capacity ?? 0) });
    const first = this.sites.map(({ agents_language }) => agents_language);
    const language = tongueSelect({ none: tell("languageOfSite"), value: account?.language ?? "", first });
    const boxes = this.sites.map((site) => h("input", { type: "checkbox", value: String(site.id), checked: account?.sites.includes(site.id) ?? false }));
    const read = () => ({
      method: "agent.put",
      params: {
        name: name.value.trim(), role: admin.checked ? "admin" : "agent", capacity: Number(capacity.value), language: language.value,
        sites: boxes.filter((each) => each.checked).map((each) => Number(each.value)),
        ...(account ? { agent: numberOf(account) } : { login: login.value.trim() }),
        ...(password.value ? { password: password.value } : {}),
      },
    });
    this.ask(
      place, !account, read,
      !account && field(tell("login"), login),
      field(tell("siteName"), name, tell("nameMore")),
      !isMe && field(tell("oneTime"), password, tell("oneTimeMore")),
      !isMe && h("div", { class: "card-tools" }, make),
      box(admin, tell("admin"), tell("adminMore")),
      field(tell("capacity"), capacity, tell("capacityMore")),
      field(tell("reads"), language, tell("languageMore")),
      boxes.length > 1 && h("fieldset", { class: "boxes" }, h("legend", null, tell("onlySites")), ...boxes.map((input, at) => box(input, this.sites[at].name))),
    );
  }

  /**
   * @param {{agent: Account}} answer
   * @param {{params: Record<string, any>}} asked
   */
  async saved({ agent }, { params }) {
    await this.load();
    if (!params.password) return;
    const shown = h("pre", { class: "snippet", tabIndex: 0 }, h("code", null, params.password));
    this.list.prepend(h("div", { class: "card", role: "status" }, h("h2", null, h("bdi", null, agent.name)), h("p", null, tell("oneTimeOnce")), shown));
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  faultOf(code, text) {
    return code === "conflict" ? tell("accountTaken") : code === "bad_request" ? tell("accountWrong") : text;
  }
}
