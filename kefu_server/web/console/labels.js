/** @import {Desk} from "./desk.js" */
import { fill, h, icon } from "../ui/dom.js";
import { Disclosure } from "./disclosure.js";
import { askArchive } from "./history/archive.js";
import { say } from "./phrases.js";

const LABELS_MAX = 20;
const LABEL_CHARS = 40;

/** A conversation's labels: seen, taken away and added. */
export class LabelMenu {
  /**
   * @param {Desk} desk
   * @param {string} id
   * @param {(labels: string[]) => void} changed they are stored
   */
  constructor(desk, id, changed) {
    this.desk = desk;
    this.changed = changed;
    /** @type {number | null} */
    this.conversation = null;
    /** @type {string[]} as they will be when all is saved */
    this.labels = [];
    /** So many changes of this conversation's are on their way, one after the other. */
    this.saving = 0;
    this.turn = 0;
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
    this.list = h("ul", { class: "label-list" });
    this.known = h("datalist", { id: `${id}-known` });
    this.input = h("input", { type: "text", class: "label-input", maxLength: LABEL_CHARS, placeholder: say("addLabel"), "aria-label": say("addLabel"), autocomplete: "off", dir: "auto", oninput: () => this.typed() });
    this.input.setAttribute("list", this.known.id);
    this.fault = h("p", { class: "fault", role: "alert" });
    this.button = h("button", { type: "submit", class: "primary", disabled: true }, say("add"));
    const form = h("form", { class: "label-form", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), this.add()) }, this.input, this.button, this.known);
    const panel = h("div", { class: "menu", role: "group", "aria-label": say("labels"), tabIndex: -1 }, h("p", { class: "menu-title" }, say("labels")), this.list, form, this.fault);
    this.menu = new Disclosure({ id, name: say("labels"), face: [icon("tag")], panel, isMenu: true, opened: () => void this.learn() });
    this.element = this.menu.element;
  }

  /** Ask which labels there are already. */
  async learn() {
    fill(this.fault);
    this.input.focus();
    try {
      const { labels } = await askArchive("facets", new URLSearchParams());
      fill(this.known, ...labels.map((/** @type {string} */ label) => h("option", { value: label })));
    } catch {
      // One can type without.
    }
  }

  /**
   * @param {number} conversation
   * @param {string[]} labels
   */
  show(conversation, labels) {
    this.menu.button.disabled = !this.desk.chat.isLive;
    const mark = JSON.stringify([conversation, labels]);
    if (mark === this.list.dataset.mark) return;
    if (conversation !== this.conversation) {
      this.input.value = "";
      this.menu.open(false);
      this.saving = 0;
      this.turn += 1;
    }
    // A row that is told meanwhile has not all of the changes yet.
    if (this.saving) return;
    this.list.dataset.mark = mark;
    this.conversation = conversation;
    this.draw(labels);
  }

  /** @param {string[]} labels */
  draw(labels) {
    this.labels = labels;
    this.menu.button.classList.toggle("set", labels.length > 0);
    fill(this.list, ...labels.map((label) => this.chip(label)));
    this.typed();
  }

  /** @param {string} label */
  chip(label) {
    const remove = say("removeLabel", { label });
    const button = h("button", { type: "button", "aria-label": remove, title: remove, onclick: () => this.remove(label) }, icon("close"));
    return h("li", { class: "chip" }, h("bdi", null, label), button);
  }

  typed() {
    this.button.disabled = !this.input.value.trim() || this.labels.length >= LABELS_MAX;
  }

  add() {
    const label = this.input.value.trim();
    if (!label) return;
    this.input.value = "";
    this.typed();
    if (!this.labels.includes(label)) void this.save([...this.labels, label]);
  }

  /** @param {string} label */
  remove(label) {
    // The button that has the focus goes, and the menu would close with it.
    this.input.focus();
    void this.save(this.labels.filter((each) => each !== label));
  }

  /** @param {string[]} labels */
  async save(labels) {
    const { conversation, turn } = this;
    if (conversation === null) return;
    fill(this.fault);
    this.draw(labels);
    this.saving += 1;
    const call = () => this.desk.chat.call("conversation.label", { conversation, labels });
    // Each says all labels, so they must arrive in the order of the clicks.
    const saved = (this.last = this.last.then(call, call));
    let isSaved = true;
    try {
      await saved;
    } catch {
      isSaved = false;
    }
    if (turn !== this.turn) return;
    this.saving -= 1;
    if (isSaved) return this.changed(labels);
    fill(this.fault, say("labelFailed"));
    this.list.dataset.mark = "";
  }
}
