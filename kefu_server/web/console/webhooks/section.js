/** @import {Desk} from "../desk.js" */
/** @import {Hook} from "./form.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { askArchive } from "../history/archive.js";
import { quiet, twice } from "../settings/form.js";
import { ListSection } from "../settings/section.js";
import { form } from "./form.js";
import { Log } from "./log.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new WebhooksSection(desk);
}

/** Whom this installation tells what happens. */
class WebhooksSection extends ListSection {
  /** @param {Desk} desk */
  constructor(desk) {
    super(desk);
    /** @type {Hook[]} */
    this.rows = [];
    /** @type {string[]} */
    this.events = [];
    /** @type {Map<number, string>} */
    this.sites = new Map();
    /** @type {Map<number, Log>} */
    this.logs = new Map();
    this.element.prepend(h("p", { class: "more" }, tell("intro")));
  }

  async load() {
    const [answer, facets] = await Promise.all([this.call("webhooks.list"), askArchive("facets", new URLSearchParams()).catch(() => null)]);
    if (!answer || !facets) return answer && fill(this.fault, tell("failed"));
    this.rows = answer.rows;
    this.events = answer.events;
    this.sites = new Map(facets.sites.map((/** @type {{id: number, name: string}} */ { id, name }) => [id, name]));
    this.draw();
  }

  draw() {
    const cards = this.rows.map((row) => this.card(row));
    fill(this.list, ...(cards.length ? cards : [h("p", { class: "more" }, tell("none"))]));
    this.offer(tell("add"), (place) => this.edit(place, null));
  }

  /** @param {Hook} row */
  card(row) {
    const site = row.site_id ? (this.sites.get(row.site_id) ?? String(row.site_id)) : tell("anySite");
    const state = row.is_active ? tell("on") : tell("off");
    const failing = row.failing_since === null ? "" : tell("failing", { time: stamp(row.failing_since, Date.now()) });
    const secret = quiet(tell("showSecret"), () => fill(held, h("code", null, row.secret)));
    const held = h("span", { class: "hook-secret" }, secret);
    const log = this.logs.get(row.id) ?? new Log(this.desk, row.id);
    this.logs.set(row.id, log);
    const toggle = h("button", { type: "button", class: "plain", "aria-expanded": String(!log.element.hidden), onclick: () => open() }, tell("log"));
    const open = () => {
      log.open(log.element.hidden);
      toggle.setAttribute("aria-expanded", String(!log.element.hidden));
      fill(toggle, tell(log.element.hidden ? "log" : "hideLog"));
    };
    const test = async () => {
      if (!(await this.call("webhook.test", { webhook: row.id }))) return;
      if (log.element.hidden) open();
      else await log.load(false);
    };
    const card = h("div", { class: "card hook" });
    const button = (/** @type {string} */ text, /** @type {() => void} */ act) => h("button", { type: "button", class: "plain", onclick: act }, text);
    fill(
      card,
      h("h2", { class: "hook-url" }, h("bdi", null, row.url)),
      h("p", { class: "more" }, h("b", { class: row.is_active ? "good" : "bad" }, state), ` · ${site} · ${row.events.join(", ")}`),
      failing && h("p", { class: "fault" }, failing),
      row.note && h("p", { class: "fault" }, h("bdi", null, row.note)),
      h("p", { class: "hook-line" }, `${tell("secret")}: `, held),
      h("div", { class: "card-tools" }, toggle, button(tell("test"), () => void test()), button(tell("edit"), () => this.edit(card, row)), this.remover(row)),
      log.element,
    );
    return card;
  }

  /** @param {Hook} row */
  remover(row) {
    return twice(tell("remove"), tell("removeSure"), async () => {
      if (!(await this.call("webhook.delete", { webhook: row.id }))) return;
      this.logs.delete(row.id);
      await this.load();
    });
  }

  /**
   * @param {HTMLElement} place
   * @param {Hook | null} row
   */
  edit(place, row) {
    const element = form({
      row,
      events: this.events,
      sites: this.sites,
      cancel: () => this.draw(),
      save: async (params) => {
        const answer = await this.call("webhook.put", params);
        if (answer) await this.load();
      },
    });
    fill(place, row ? element : h("div", { class: "card" }, element));
    element.querySelector("input")?.focus();
  }

  show() {
    super.show();
    for (const log of this.logs.values()) log.look();
  }
}
