/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { field, quiet } from "./form.js";
import { tell } from "./phrases.js";
import { ListSection } from "./section.js";

const PAGE = 50;
const ANY = "any";
/** What people look for; the journal holds more. */
const ACTIONS = [
  "login", "login.refused", "logout", "session.end", "password.change", "agent.password", "factor.on", "factor.off", "factor.recovery",
  "agent.add", "agent.put", "agent.deactivate", "token.create", "token.delete", "site.put", "site.secret", "ban.put", "ban.lift", "export", "visitor.erase",
];

/**
 * @typedef {object} Change
 * @property {number} id
 * @property {number} at
 * @property {string} who such as a7, cli for the command line, or nothing
 * @property {string} action the method that did it
 * @property {string} target
 * @property {Record<string, any>} data
 * @property {string} address where it came from
 */

/** @param {Desk} desk */
export function make(desk) {
  return new AuditSection(desk);
}

/** Who did what, of everybody or of one, of everything or of one kind. */
class AuditSection extends ListSection {
  /** @type {Map<string, string>} */
  names = new Map();
  who = h("select", { onchange: () => void this.load() });
  action = h("select", { onchange: () => void this.load() });

  /** @returns {Record<string, any>} what is asked for */
  get wanted() {
    const who = this.who.value === ANY ? {} : { who: this.who.value };
    return { limit: PAGE, ...who, ...(this.action.value ? { action: this.action.value } : {}) };
  }

  async load() {
    const people = await this.call("agents.list");
    if (!people) return;
    this.names = new Map(people.agents.map((/** @type {{id: string, name: string}} */ { id, name }) => [id, name]));
    this.names.set("cli", tell("commandLine")).set("", tell("nobodyKnown"));
    if (!this.who.options.length) {
      const option = (/** @type {string} */ value, /** @type {string} */ text) => h("option", { value }, text);
      fill(this.who, option(ANY, tell("everybody")), ...[...this.names].map(([id, name]) => option(id, name)));
      fill(this.action, option("", tell("everything")), ...ACTIONS.map((name) => option(name, name)));
    }
    const answer = await this.call("audit.list", this.wanted);
    if (!answer) return;
    const rows = h("ol", { class: "changes" });
    const filter = h("div", { class: "filter" }, field(tell("whoDid"), this.who), field(tell("whatDid"), this.action));
    fill(this.list, h("p", { class: "more" }, tell("auditMore")), filter, !answer.rows.length && h("p", { class: "more" }, tell("noChanges")), rows);
    this.add(rows, answer.rows);
  }

  /**
   * @param {HTMLElement} place
   * @param {Change[]} rows
   */
  add(place, rows) {
    place.append(...rows.map((row) => this.row(row)));
    const more = async () => {
      const answer = await this.call("audit.list", { ...this.wanted, before: rows[rows.length - 1].id });
      if (answer) this.add(place, answer.rows);
    };
    fill(this.adding, rows.length === PAGE && quiet(tell("older"), () => void more()));
  }

  /** @param {Change} row */
  row(row) {
    const facts = Object.entries(row.data).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
    return h(
      "li",
      null,
      h("p", null, h("b", null, h("bdi", null, this.names.get(row.who) ?? row.who)), " ", h("code", null, row.action), " ", h("bdi", null, row.target)),
      h("p", { class: "more" }, stamp(row.at, Date.now()), row.address && " · ", h("bdi", null, row.address), facts.length > 0 && " · ", h("bdi", null, facts.join(" · "))),
    );
  }
}
