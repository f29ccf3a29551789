/** @import {Desk} from "../desk.js" */
/** @import {Chosen, Colleague} from "./colleagues.js" */
import { fill, h, reconcile } from "../../ui/dom.js";
import { Disclosure } from "../disclosure.js";
import { CHOICES, loadOf, loadShort, mine, others } from "./colleagues.js";
import { tell } from "./phrases.js";

/** What I am for others, and who of them is there. */
export class StatusMenu {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.mark = "";
    this.dot = h("i", { class: "presence", "aria-hidden": "true" });
    /** @type {Map<Chosen, HTMLInputElement>} */
    this.radios = new Map();
    const choices = CHOICES.map((chosen) => this.choice(chosen));
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("ul", { class: "colleagues" });
    this.nobody = h("p", { class: "menu-more" }, tell("nobodyElse"));
    const panel = h(
      "div",
      { class: "menu status-menu", role: "group", "aria-label": tell("myStatus"), tabIndex: -1 },
      h("fieldset", { class: "status-choices" }, h("legend", { class: "menu-title" }, tell("myStatus")), ...choices),
      this.fault,
      h("p", { class: "menu-title", id: "colleagues-title" }, tell("whoIsThere")),
      this.list,
      this.nobody,
    );
    this.list.setAttribute("aria-labelledby", "colleagues-title");
    this.menu = new Disclosure({ id: "status-menu", name: tell("myStatus"), face: [this.dot, h("bdi", { class: "top-name" }, desk.me.name)], panel, isMenu: true });
    this.menu.button.classList.add("status-button");
    this.element = this.menu.element;
    this.show();
  }

  /** @param {Chosen} chosen */
  choice(chosen) {
    const radio = h("input", { type: "radio", name: "my-status", value: chosen, onchange: () => void this.choose(chosen) });
    this.radios.set(chosen, radio);
    return h("label", { class: "status-choice" }, radio, h("i", { class: `presence ${chosen}`, "aria-hidden": "true" }), h("span", null, h("b", null, tell(chosen)), h("small", null, tell(`${chosen}More`))));
  }

  /** @param {Chosen} chosen */
  async choose(chosen) {
    fill(this.fault);
    try {
      const { agent } = await this.desk.chat.call("presence.set", { status: chosen });
      this.desk.agents.set(agent.id, agent);
    } catch {
      fill(this.fault, tell("statusFailed"));
    }
    this.mark = "";
    this.show();
  }

  /** Draw what has changed. */
  show() {
    const { desk } = this;
    const me = mine(desk);
    const isLive = desk.chat.isLive;
    // What the server does not hear is offline for everybody, whatever was chosen.
    const status = isLive && me ? (me.status === "offline" ? me.chosen : me.status) : "offline";
    const them = others(desk);
    const mark = JSON.stringify([status, me?.chosen, isLive, them]);
    if (mark === this.mark) return;
    this.mark = mark;
    this.dot.className = `presence ${status}`;
    const said = `${desk.me.name} · ${tell(status)}`;
    this.menu.button.title = said;
    this.menu.button.setAttribute("aria-label", `${tell("myStatus")}: ${said}`);
    for (const [chosen, radio] of this.radios) {
      radio.checked = chosen === me?.chosen;
      radio.disabled = !isLive;
    }
    this.nobody.hidden = them.length > 0;
    reconcile(this.list, them.map((each) => ({ ...each, key: String(each.id) })), (each) => line(each));
  }
}

/** @param {Colleague} each */
function line(each) {
  return h(
    "li",
    { class: "colleague" },
    h("i", { class: `presence ${each.status}`, "aria-hidden": "true" }),
    h("bdi", { class: "colleague-name" }, each.name),
    h("span", { class: "colleague-status" }, tell(each.status)),
    h("span", { class: "count", title: loadOf(each), "aria-label": loadOf(each), role: "img" }, loadShort(each)),
  );
}
