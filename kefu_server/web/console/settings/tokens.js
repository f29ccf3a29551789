/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { field, twice } from "./form.js";
import { tell } from "./phrases.js";
import { ListSection } from "./section.js";

const DAY_MS = 86_400_000;
const DAYS = [30, 90, 365, 0];

/**
 * @typedef {object} Token
 * @property {number} id
 * @property {string} name
 * @property {string} agent whom it acts for, such as a7
 * @property {string[]} scopes
 * @property {number} created_at
 * @property {number} last_used_at 0: never
 * @property {number} expires_at 0: never
 */

/** @param {Desk} desk */
export function make(desk) {
  return new TokensSection(desk);
}

/** What programs may do here, and for whom. */
class TokensSection extends ListSection {
  /** @type {string[]} */
  scopes = [];
  /** @type {Map<string, string>} */
  names = new Map();

  async load() {
    const people = await this.call("agents.list");
    const answer = people && (await this.call("tokens.list"));
    if (!answer) return;
    this.scopes = answer.scopes;
    this.names = new Map(people.agents.map((/** @type {{id: string, name: string}} */ { id, name }) => [id, name]));
    const cards = answer.rows.map((/** @type {Token} */ token) => this.card(token));
    fill(this.list, h("p", { class: "more" }, tell("tokensMore")), ...(cards.length ? cards : [h("p", { class: "more" }, tell("noTokens"))]));
    this.offer(tell("addToken"), (place) => this.edit(place));
  }

  /** @param {Token} token */
  card(token) {
    const now = Date.now();
    const end = token.expires_at ? tell(token.expires_at > now ? "endsAt" : "endedAt", { time: stamp(token.expires_at, now) }) : tell("endsNever");
    const used = token.last_used_at ? tell("usedAt", { time: stamp(token.last_used_at, now) }) : tell("usedNever");
    return h(
      "div",
      { class: "card" },
      h("h2", null, h("bdi", null, token.name), " ", h("small", null, h("bdi", null, this.names.get(token.agent) ?? token.agent))),
      h("p", { class: "more" }, token.scopes.join(", ")),
      h("p", { class: "more" }, `${end} · ${used}`),
      h("div", { class: "card-tools" }, twice(tell("endToken"), tell("endTokenSure"), () => void this.end(token))),
    );
  }

  /** @param {Token} token */
  async end(token) {
    if (await this.call("token.delete", { token: token.id })) await this.load();
  }

  /** @param {HTMLElement} place */
  edit(place) {
    const name = h("input", { required: true, maxLength: 100, autocomplete: "off" });
    const boxes = this.scopes.map((scope) => h("input", { type: "checkbox", value: scope }));
    const rows = boxes.map((each) => h("label", { class: "switch" }, each, h("code", null, each.value)));
    const days = h("select", null, ...DAYS.map((count) => h("option", { value: String(count) }, count ? tell("forDays", { count }) : tell("endsNever"))));
    days.value = "90";
    const read = () => ({
      method: "token.create",
      params: {
        name: name.value.trim(),
        scopes: boxes.filter((each) => each.checked).map((each) => each.value),
        expires_at: Number(days.value) ? Date.now() + Number(days.value) * DAY_MS : 0,
      },
    });
    this.ask(
      place, true, read,
      field(tell("tokenName"), name, tell("tokenNameMore")),
      h("fieldset", { class: "boxes" }, h("legend", null, tell("scopes")), ...rows),
      field(tell("tokenEnds"), days),
    );
  }

  /** @param {{token: Token, secret: string}} made */
  async saved({ token, secret }) {
    await this.load();
    const note = h("p", null, tell("tokenOnce"));
    const shown = h("pre", { class: "snippet", tabIndex: 0 }, h("code", null, secret));
    this.list.prepend(h("div", { class: "card", role: "status" }, h("h2", null, h("bdi", null, token.name)), note, shown));
  }
}
