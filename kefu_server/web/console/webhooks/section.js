/** @import {Desk} from "../desk.js" */
/** @import {Hook} from "./form.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { askArchive } from "../history/archive.js";
import { form } from "./form.js";
import { Log } from "./log.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new WebhooksSection(desk);
}

/** Whom this installation tells what happens. */
class WebhooksSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Hook[]} */
    this.rows = [];
    /** @type {string[]} */
    this.events = [];
    /** @type {Map<number, string>} */
    this.sites = new Map();
    /** @type {Map<number, Log>} */
    this.logs = new Map();
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("div", null);
    this.adding = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, tell("intro")), this.fault, this.list, this.adding);
  }

  async enter() {
    try {
      const [answer, { sites }] = await Promise.all([this.desk.chat.call("webhooks.list"), askArchive("facets", new URLSearchParams())]);
      this.rows = answer.rows;
      this.events = answer.events;
      this.sites = new Map(sites.map((/** @type {{id: number, name: string}} */ { id, name }) => [id, name]));
      fill(this.fault);
    } catch {
      return fill(this.fault, tell("failed"));
    }
    this.draw();
  }

  draw() {
    const cards = this.rows.map((row) => this.card(row));
    fill(this.list, ...(cards.length ? cards : [h("p", { class: "more" }, tell("none"))]));
    fill(this.adding, h("button", { type: "button", class: "primary", onclick: () => this.edit(this.adding, null) }, tell("add")));
  }

  /** @param {Hook} row */
  card(row) {
    const site = row.site_id ? (this.sites.get(row.site_id) ?? String(row.site_id)) : tell("anySite");
    const state = row.is_active ? tell("on") : tell("off");
    const failing = row.failing_since === null ? "" : tell("failing", { time: stamp(row.failing_since, Date.now()) });
    const secret = h("button", { type: "button", class: "plain small", onclick: () => fill(held, h("code", null, row.secret)) }, tell("showSecret"));
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
    const act = async () => {
      if (button.dataset.sure) {
        await this.call("webhook.delete", { webhook: row.id });
        this.logs.delete(row.id);
        return this.enter();
      }
      button.dataset.sure = "yes";
      button.classList.add("danger");
      fill(button, tell("removeSure"));
    };
    const button = h("button", { type: "button", class: "plain", onclick: () => void act() }, tell("remove"));
    return button;
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
        if (answer) await this.enter();
      },
    });
    fill(place, row ? element : h("div", { class: "card" }, element));
    element.querySelector("input")?.focus();
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} params
   */
  async call(method, params) {
    fill(this.fault);
    try {
      return await this.desk.chat.call(method, params);
    } catch (error) {
      const isTold = error instanceof Refusal && error.code !== "disconnected";
      fill(this.fault, isTold ? error.message : tell("failed"));
      this.fault.scrollIntoView({ block: "nearest" });
      return null;
    }
  }

  show() {
    for (const log of this.logs.values()) log.look();
  }
}
