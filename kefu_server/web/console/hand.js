/** @import {Desk, Row} from "./desk.js" */
import { fill, h, icon } from "../ui/dom.js";
import { Disclosure } from "./disclosure.js";
import { say } from "./phrases.js";

/** Hand a conversation to somebody else, with a note, or back to the queue. */
export class HandMenu {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Row | null} */
    this.row = null;
    this.select = h("select", { required: true });
    this.note = h("textarea", { maxLength: 2000, dir: "auto" });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.button = h("button", { type: "submit", class: "primary" }, say("hand"));
    const form = h(
      "form",
      { class: "hand-form", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), void this.hand()) },
      h("label", { class: "field" }, say("handTo"), this.select),
      h("label", { class: "field" }, say("handNote"), this.note, h("small", null, say("handNoteMore"))),
      this.fault,
      this.button,
    );
    const panel = h("div", { class: "menu", role: "group", "aria-label": say("hand"), tabIndex: -1 }, h("p", { class: "menu-title" }, say("hand")), form);
    this.menu = new Disclosure({ id: "hand-room", name: say("hand"), face: [icon("hand")], panel, isMenu: true, opened: () => void this.learn() });
    this.element = this.menu.element;
  }

  /** Ask who there is. */
  async learn() {
    fill(this.fault);
    try {
      const { agents } = await this.desk.chat.call("agents.list", {});
      const others = agents.filter((/** @type {{id: string, is_active: boolean}} */ { id, is_active }) => is_active && id !== this.row?.assignee);
      const options = others.map((/** @type {{id: string, name: string}} */ { id, name }) => h("option", { value: id.slice(1) }, name));
      if (this.row?.status !== "queued") options.push(h("option", { value: "" }, say("handQueue")));
      fill(this.select, ...options);
      this.select.required = false;
      this.select.focus();
    } catch {
      fill(this.fault, say("serverAway"));
    }
  }

  /** @param {Row} row */
  show(row) {
    if (row.id !== this.row?.id) {
      this.menu.open(false);
      this.note.value = "";
    }
    this.row = row;
    this.element.hidden = row.status === "closed";
    this.menu.button.disabled = !this.desk.chat.isLive;
  }

  async hand() {
    if (!this.row) return;
    this.button.disabled = true;
    const agent = this.select.value ? { agent: Number(this.select.value) } : {};
    try {
      await this.desk.chat.call("conversation.assign", { conversation: this.row.id, note: this.note.value.trim(), ...agent });
      this.note.value = "";
      this.menu.open(false);
    } catch {
      fill(this.fault, say("handFailed"));
    }
    this.button.disabled = false;
  }
}
