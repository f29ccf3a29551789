/** @import {Desk} from "../desk.js" */
/** @import {Team} from "./teams.js" */
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Routing
 * @property {string} method
 * @property {number} team_id
 * @property {number | null} requeue_after_s
 */

const METHODS = /** @type {const} */ (["manual", "round_robin", "least_busy", "previous_first"]);
const AFTER_S = [0, 15, 30, 60, 120, 300, 600, 1800];

/** @param {Desk} desk */
export function make(desk) {
  return new RulesSection(desk);
}

/** Who gets what waits, site by site. */
class RulesSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.isDue = false;
    this.body = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, tell("routingMore")), this.body);
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
    try {
      const { sites } = await this.desk.chat.call("sites.list", {});
      const { teams } = await this.desk.chat.call("teams.list", {});
      fill(this.body, ...sites.map((/** @type {any} */ site) => this.card(site, teams)));
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")));
    }
  }

  /**
   * @param {{id: number, name: string, settings: {routing: Routing}}} site
   * @param {Team[]} teams
   */
  card({ id, name, settings: { routing } }, teams) {
    const method = h("select", null, ...METHODS.map((each) => h("option", { value: each }, tell(each))));
    method.value = routing.method;
    const team = h("select", null, h("option", { value: "0" }, tell("everybody")), ...teams.map((each) => h("option", { value: String(each.id) }, tell("team", { name: each.name }))));
    team.value = teams.some((each) => each.id === routing.team_id) ? String(routing.team_id) : "0";
    const own = routing.requeue_after_s;
    const times = own === null || AFTER_S.includes(own) ? AFTER_S : [...AFTER_S, own].sort((a, b) => a - b);
    const requeue = h("select", null, ...times.map((each) => h("option", { value: String(each) }, afterText(each))), h("option", { value: "" }, tell("requeueNever")));
    requeue.value = own === null ? "" : String(own);
    const fault = h("p", { class: "fault", role: "alert" });
    const saved = h("span", { role: "status" });
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      fill(fault);
      fill(saved);
      const changed = { method: method.value, team_id: Number(team.value), requeue_after_s: requeue.value === "" ? null : Number(requeue.value) };
      try {
        await this.desk.chat.call("site.put", { site: id, settings: { routing: changed } });
        fill(saved, tell("saved"));
      } catch {
        fill(fault, tell("failed"));
      }
    };
    const field = (/** @type {string} */ text, /** @type {HTMLElement} */ input, more = "") => h("label", { class: "field" }, text, input, more && h("small", null, more));
    return h(
      "form",
      { class: "card", onsubmit: save, "aria-label": name },
      h("h2", null, h("bdi", null, name)),
      field(tell("method"), method),
      field(tell("forTeam"), team),
      field(tell("requeue"), requeue, tell("requeueMore")),
      fault,
      h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("save")), saved),
    );
  }
}

/** @param {number} seconds */
function afterText(seconds) {
  if (!seconds) return tell("requeueNow");
  const isMinutes = seconds >= 120 && seconds % 60 === 0;
  const time = isMinutes ? tell("minutes", { count: seconds / 60 }) : tell("seconds", { count: seconds });
  return tell("requeueAfter", { time });
}
