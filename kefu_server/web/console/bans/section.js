/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { shownName } from "../people.js";
import { field, quiet, twice } from "../settings/form.js";
import { ListSection } from "../settings/section.js";
import { Terms } from "./length.js";
import { tell } from "./phrases.js";

const PAGE = 50;

/**
 * @typedef {object} Ban
 * @property {number} id
 * @property {"visitor" | "address" | "network"} kind
 * @property {string} value
 * @property {string} visitor_name
 * @property {number} site_id 0: every site
 * @property {string} reason
 * @property {string} agent
 * @property {number} created_at
 * @property {number} expires_at 0: never
 * @property {boolean} is_on
 */

/** @param {Desk} desk */
export function make(desk) {
  return new BansSection(desk);
}

/** Who may not write any more. */
class BansSection extends ListSection {
  async load() {
    const answer = await this.call("bans.list", { limit: PAGE });
    if (!answer) return;
    const cards = h("div", null);
    const more = h("div", null);
    fill(this.list, h("p", { class: "more" }, tell(answer.rows.length ? "more" : "none")), cards, more);
    this.add(cards, more, answer.rows);
    this.offer(tell("add"), (place) => this.edit(place));
  }

  /**
   * @param {HTMLElement} cards
   * @param {HTMLElement} more
   * @param {Ban[]} rows
   */
  add(cards, more, rows) {
    cards.append(...rows.map((ban) => this.card(ban)));
    const older = async () => {
      const answer = await this.call("bans.list", { limit: PAGE, before: rows[rows.length - 1].id });
      if (answer) this.add(cards, more, answer.rows);
    };
    fill(more, rows.length === PAGE && quiet(tell("older"), () => void older()));
  }

  /** @param {Ban} ban */
  card(ban) {
    const now = Date.now();
    const time = stamp(ban.expires_at, now);
    const end = !ban.expires_at ? tell("forGood") : tell(ban.is_on ? "until" : "ended", { time });
    const site = ban.site_id ? this.desk.directory.sites.get(ban.site_id) ?? String(ban.site_id) : tell("everySite");
    const name = ban.kind === "visitor" ? shownName(ban.visitor_name) : ban.value;
    return h(
      "div",
      { class: "card" },
      h("h2", null, h("bdi", null, name), " ", h("small", null, h("bdi", null, site))),
      h("p", { class: "more" }, `${end} · `, h("bdi", null, tell("by", { name: this.desk.nameOf(ban.agent), time: stamp(ban.created_at, now) }))),
      ban.reason && h("p", { dir: "auto" }, ban.reason),
      h("div", { class: "card-tools" }, twice(tell("lift"), tell("liftSure"), () => void this.lift(ban))),
    );
  }

  /** @param {Ban} ban */
  async lift(ban) {
    if (await this.call("ban.lift", { ban: ban.id })) await this.load();
  }

  /** @param {HTMLElement} place */
  edit(place) {
    const { desk } = this;
    const address = h("input", { type: "text", required: true, maxLength: 64, autocomplete: "off", spellcheck: false });
    const sites = [...desk.directory.sites].map(([id, name]) => h("option", { value: String(id) }, name));
    const every = desk.me.role === "admin" && h("option", { value: "0" }, tell("everySite"));
    const site = h("select", null, ...sites, every);
    const terms = new Terms();
    const read = () => ({ method: "ban.put", params: { address: address.value.trim(), site: Number(site.value), ...terms.read() } });
    this.ask(place, true, read, field(tell("address"), address, tell("addressMore")), field(tell("site"), site), ...terms.fields);
  }
}
