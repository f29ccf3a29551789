/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { quiet } from "./form.js";
import { tell } from "./phrases.js";
import { ListSection } from "./section.js";

const PAGE = 50;

/**
 * @typedef {object} Change
 * @property {number} id
 * @property {number} at
 * @property {string} who such as a7
 * @property {string} action the method that did it
 * @property {string} target
 * @property {Record<string, any>} data
 */

/** @param {Desk} desk */
export function make(desk) {
  return new AuditSection(desk);
}

/** Who changed what. */
class AuditSection extends ListSection {
  /** @type {Map<string, string>} */
  names = new Map();

  async load() {
    const people = await this.call("agents.list");
    const answer = people && (await this.call("audit.list", { limit: PAGE }));
    if (!answer) return;
    this.names = new Map(people.agents.map((/** @type {{id: string, name: string}} */ { id, name }) => [id, name]));
    const rows = h("ol", { class: "changes" });
    fill(this.list, h("p", { class: "more" }, tell(answer.rows.length ? "auditMore" : "noChanges")), rows);
    this.add(rows, answer.rows);
  }

  /**
   * @param {HTMLElement} place
   * @param {Change[]} rows
   */
  add(place, rows) {
    place.append(...rows.map((row) => this.row(row)));
    const more = async () => {
      const answer = await this.call("audit.list", { limit: PAGE, before: rows[rows.length - 1].id });
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
      h("p", { class: "more" }, stamp(row.at, Date.now()), facts.length > 0 && " · ", h("bdi", null, facts.join(" · "))),
    );
  }
}
