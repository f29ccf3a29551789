/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { box, quiet, twice } from "../settings/form.js";
import { Terms } from "./length.js";
import { tell } from "./phrases.js";

/** @typedef {{id: number, reason: string, agent: string, expires_at: number}} Away */

/** Ban the visitor that is looked at, or let it come back. */
export class VisitorBan {
  /**
   * @param {Desk} desk
   * @param {() => void} changed
   */
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
    this.visitor = 0;
    this.inside = h("div");
    this.fault = h("p", { class: "fault", role: "alert" });
    this.element = h("section", { class: "pane-part" }, this.inside, this.fault);
  }

  /**
   * @param {number} visitor
   * @param {Away | null} ban
   */
  show(visitor, ban) {
    const mark = JSON.stringify([visitor, ban]);
    // What is being filled in stays when something else of the visitor changes.
    if (mark === this.inside.dataset.mark) return;
    this.inside.dataset.mark = mark;
    this.visitor = visitor;
    fill(this.fault);
    if (!ban) return fill(this.inside, quiet(tell("ban"), () => this.edit()));
    const end = ban.expires_at ? tell("until", { time: stamp(ban.expires_at, Date.now()) }) : tell("forGood");
    const facts = h("p", { class: "more" }, `${end} · `, h("bdi", null, this.desk.nameOf(ban.agent)));
    const lift = twice(tell("lift"), tell("liftSure"), () => void this.call("ban.lift", { ban: ban.id }));
    fill(this.inside, h("h4", { class: "off" }, tell("banned")), facts, ban.reason && h("p", { class: "more", dir: "auto" }, ban.reason), lift);
  }

  edit() {
    const terms = new Terms();
    const address = h("input", { type: "checkbox" });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.call("ban.put", { visitor: this.visitor, with_address: address.checked, ...terms.read() });
    };
    const leave = () => {
      fill(this.fault);
      fill(this.inside, quiet(tell("ban"), () => this.edit()));
      this.inside.querySelector("button")?.focus();
    };
    const tools = h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("banNow")), h("button", { type: "button", class: "plain", onclick: leave }, tell("cancel")));
    fill(this.inside, h("form", { class: "visitor-form", onsubmit: submit }, ...terms.fields, box(address, tell("withAddress"), tell("withAddressMore")), tools));
    terms.reason.focus();
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} params
   */
  async call(method, params) {
    const { visitor } = this;
    fill(this.fault);
    try {
      const { rows } = await this.desk.chat.call(method, params);
      if (visitor !== this.visitor) return;
      // Of who only looks there is nothing to ask for: what came of it is the answer.
      const [made] = rows ?? [];
      this.show(visitor, made ? { id: made.id, reason: made.reason, agent: made.agent, expires_at: made.expires_at } : null);
    } catch (error) {
      const isTold = error instanceof Refusal && error.code !== "disconnected";
      fill(this.fault, isTold ? error.message : tell("failed"));
      return;
    }
    this.changed();
  }
}
