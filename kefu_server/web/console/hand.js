/** @import {Desk, Row} from "./desk.js" */
/** @import {Colleague} from "./routing/colleagues.js" */
import { Refusal } from "../client/chat.js";
import { fill, h, icon } from "../ui/dom.js";
import { nameOf } from "../ui/reading.js";
import { Disclosure } from "./disclosure.js";
import { say } from "./phrases.js";
import { hasRoom, loadShort, others } from "./routing/colleagues.js";
import { tell } from "./routing/phrases.js";

/** @param {Colleague} colleague @returns {string} the name, and what its account says that it reads */
const nameIn = ({ name, language }) => (language ? `${name} (${nameOf(language)})` : name);

/** Hand a conversation to somebody else or to a team, with a note, or back to the queue. */
export class HandMenu {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Row | null} */
    this.row = null;
    /** What is offered, to see whether it has changed. */
    this.mark = "";
    this.select = h("select", null);
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

  /** Ask which teams there are; who is there is known. */
  async learn() {
    fill(this.fault);
    try {
      await this.desk.directory.list("teams");
      this.mark = "";
      this.offer();
      this.select.focus();
    } catch {
      fill(this.fault, say("serverAway"));
    }
  }

  offer() {
    const { row, desk } = this;
    const isOf = (/** @type {Colleague} */ { sites }) => !row || !sites.length || sites.includes(row.site_id);
    const them = others(desk).filter((each) => `a${each.id}` !== row?.assignee && isOf(each));
    const agents = them.map((each) => h("option", { value: `agent ${each.id}`, disabled: !hasRoom(each) }, `${nameIn(each)} · ${tell(each.status)} · ${loadShort(each)}`));
    const teams = [...desk.directory.teams].filter(([id]) => row?.status !== "queued" || id !== row.team_id).map(([id, name]) => h("option", { value: `team ${id}` }, name));
    const mark = JSON.stringify([row?.status, row?.team_id, ...[...agents, ...teams].map((option) => [option.value, option.textContent, option.disabled])]);
    if (this.mark === mark) return;
    const chosen = this.mark ? this.select.value : null;
    this.mark = mark;
    const group = (/** @type {string} */ label, /** @type {HTMLElement[]} */ options) => options.length > 0 && h("optgroup", { label }, ...options);
    const back = (row?.status !== "queued" || row.team_id !== 0) && h("option", { value: "" }, say("handQueue"));
    fill(this.select, group(say("toAgents"), agents), group(say("toTeams"), teams), back);
    // Who is there changes while one writes the note: what was chosen stays chosen.
    if ([...this.select.options].some(({ value }) => value === chosen)) this.select.value = String(chosen);
    this.button.disabled = !this.select.options.length;
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
    if (!this.menu.panel.hidden && this.mark) this.offer();
  }

  async hand() {
    if (!this.row) return;
    this.button.disabled = true;
    const [kind, id] = this.select.value.split(" ");
    const to = kind ? { [kind]: Number(id) } : { team: 0 };
    try {
      await this.desk.chat.call("conversation.assign", { conversation: this.row.id, note: this.note.value.trim(), ...to });
      this.note.value = "";
      this.menu.open(false);
    } catch (error) {
      const isFull = error instanceof Refusal && error.code === "conflict";
      fill(this.fault, say(isFull ? "noRoomThere" : "handFailed"));
    }
    this.button.disabled = false;
  }
}
