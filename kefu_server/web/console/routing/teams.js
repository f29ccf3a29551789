/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Team
 * @property {number} id
 * @property {string} name
 * @property {number[]} agents
 */

/** @param {Desk} desk */
export function make(desk) {
  return new TeamsSection(desk);
}

/** Which agents answer for each other. */
class TeamsSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {{id: number, name: string, isActive: boolean}[]} */
    this.agents = [];
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("div", null);
    this.adding = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, tell("teamsMore")), this.fault, this.list, this.adding);
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
    const agents = await this.call("agents.list", {});
    const answer = agents && (await this.call("teams.list", {}));
    if (!answer) return;
    this.agents = agents.agents.map((/** @type {{id: string, name: string, is_active: boolean}} */ each) => ({ id: Number(each.id.slice(1)), name: each.name, isActive: each.is_active }));
    fill(this.list, ...answer.teams.map((/** @type {Team} */ team) => this.card(team)));
    fill(this.adding, h("button", { type: "button", class: "primary", onclick: () => this.edit(this.adding, null) }, tell("addTeam")));
  }

  /** @param {Team} team */
  card(team) {
    const names = team.agents.map((id) => this.agents.find((agent) => agent.id === id)?.name ?? String(id));
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h2", null, h("bdi", null, team.name)),
      h("p", { class: "more" }, names.length ? h("bdi", null, names.join(", ")) : tell("noMembers")),
      h(
        "div",
        { class: "card-tools" },
        h("button", { type: "button", class: "plain small", onclick: () => this.edit(card, team) }, tell("change")),
        h("button", { type: "button", class: "plain small", onclick: () => void this.remove(team) }, tell("deleteTeam")),
      ),
    );
    return card;
  }

  /** @param {Team} team */
  async remove(team) {
    if (confirm(tell("deleteSure")) && (await this.call("team.delete", { team: team.id }))) await this.load();
  }

  /**
   * @param {HTMLElement} place where the form stands
   * @param {Team | null} team
   */
  edit(place, team) {
    const name = h("input", { required: true, maxLength: 100, value: team?.name ?? "", autocomplete: "off", dir: "auto" });
    const shown = this.agents.filter((agent) => agent.isActive || team?.agents.includes(agent.id));
    const boxes = shown.map((agent) => h("input", { type: "checkbox", value: String(agent.id), checked: team?.agents.includes(agent.id) ?? false }));
    const save = h("button", { class: "primary" }, tell("save"));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      save.disabled = true;
      const agents = boxes.filter((box) => box.checked).map((box) => Number(box.value));
      const params = { name: name.value.trim(), agents, ...(team ? { team: team.id } : {}) };
      if (await this.call("team.put", params)) await this.load();
      save.disabled = false;
    };
    const form = h(
      "form",
      { onsubmit: submit },
      h("label", { class: "field" }, tell("teamName"), name, h("small", null, tell("teamNameMore"))),
      h("fieldset", { class: "boxes" }, h("legend", null, tell("members")), ...boxes.map((box, at) => h("label", { class: "switch" }, box, h("span", null, h("b", null, h("bdi", null, shown[at].name)))))),
      h("div", { class: "card-tools" }, save, h("button", { type: "button", class: "plain", onclick: () => void this.load() }, tell("cancel"))),
    );
    fill(place, team ? form : h("div", { class: "card" }, form));
    name.focus();
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
      const conflict = method === "team.delete" ? "teamHasReplies" : "teamTaken";
      fill(this.fault, tell(code === "conflict" ? conflict : code === "bad_request" ? "teamWrong" : "failed"));
      this.fault.scrollIntoView({ block: "nearest" });
      return null;
    }
  }
}
