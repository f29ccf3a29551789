/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {{id: number, name: string, settings: Record<string, any>}} SiteRow
 * @typedef {object} Fields what stands in a site's form
 * @property {(Node | string | false)[]} nodes
 * @property {() => any} read the part of the settings as it is now
 */

/** A part of the settings that each site has for itself: one form a site. */
export class SiteCards {
  /**
   * @param {Desk} desk
   * @param {object} parts
   * @param {string} parts.part such as `talk`: saved as a whole
   * @param {string} parts.more what the section is about
   * @param {(site: SiteRow, all: Record<string, any>) => Fields} parts.fields
   * @param {() => Promise<Record<string, any>>} [parts.learn] what else the forms need
   */
  constructor(desk, parts) {
    this.desk = desk;
    this.parts = parts;
    this.isDue = false;
    this.body = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, parts.more), this.body);
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
      const all = (await this.parts.learn?.()) ?? {};
      const { sites } = await this.desk.chat.call("sites.list", {});
      fill(this.body, ...sites.map((/** @type {SiteRow} */ site) => this.card(site, all)));
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")));
    }
  }

  /**
   * @param {SiteRow} site
   * @param {Record<string, any>} all
   */
  card(site, all) {
    const { part } = this.parts;
    const { nodes, read } = this.parts.fields(site, all);
    const fault = h("p", { class: "fault", role: "alert" });
    const saved = h("span", { role: "status" });
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      fill(fault);
      fill(saved);
      try {
        await this.desk.chat.call("site.put", { site: site.id, settings: { [part]: read() } });
        fill(saved, tell("saved"));
        // What the chats show of a site follows at once here, and elsewhere in a minute.
        this.desk.directory.learn();
      } catch (error) {
        const isWrong = error instanceof Refusal && error.code === "bad_request";
        fill(fault, isWrong ? `${tell("wrong")} ${error.message}` : tell("failed"));
      }
    };
    return h(
      "form",
      { class: "card", onsubmit: save, "aria-label": site.name },
      h("h2", null, h("bdi", null, site.name)),
      ...nodes,
      fault,
      h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("save")), saved),
    );
  }
}
