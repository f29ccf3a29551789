/** @import {Composer} from "../../ui/composer.js" */
/** @import {Desk} from "../desk.js" */
/** @import {Reader} from "./reader.js" */
/** @import {Canned, Names} from "./texts.js" */
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";
import { askedFor, bodyIn, fitting, withNames } from "./texts.js";

const FRESH_MS = 30_000;

/** What opens above the composer when one types `/`. */
export class CannedMenu {
  /**
   * @param {Desk} desk
   * @param {Composer} composer
   * @param {() => Names} names
   * @param {Reader} reader who gets it
   */
  constructor(desk, composer, names, reader) {
    this.desk = desk;
    this.composer = composer;
    this.names = names;
    this.reader = reader;
    /** @type {Canned[]} */
    this.rows = [];
    this.askedAt = -FRESH_MS;
    /** @type {Canned[]} */
    this.shown = [];
    this.at = 0;
    this.isShut = false;
    this.element = h("ul", { class: "canned-menu", id: "canned-menu", role: "listbox", "aria-label": tell("menu"), hidden: true });
    const { input } = composer;
    input.setAttribute("aria-autocomplete", "list");
    input.addEventListener("input", () => ((this.isShut = false), this.look()));
    input.addEventListener("click", () => this.look());
    input.addEventListener("blur", () => this.close());
    // Before the composer sends with Enter.
    composer.element.addEventListener("keydown", (event) => this.pressed(event), true);
  }

  get before() {
    const { input } = this.composer;
    return input.selectionStart === input.selectionEnd ? input.value.slice(0, input.selectionStart) : "";
  }

  look() {
    const asked = this.isShut ? null : askedFor(this.before);
    if (asked === null) return this.close();
    if (Date.now() - this.askedAt > FRESH_MS) void this.ask();
    this.shown = fitting(this.rows, asked);
    this.at = 0;
    this.draw();
    if (this.shown.some(({ translations }) => Object.keys(translations).length)) void this.reader.learn().then((isNews) => isNews && this.draw());
  }

  async ask() {
    this.askedAt = Date.now();
    try {
      this.rows = (await this.desk.chat.call("replies.list", {})).rows;
      if (document.activeElement === this.composer.input) this.look();
    } catch {
      // What was there before does.
      this.askedAt = -FRESH_MS;
    }
  }

  draw() {
    this.element.hidden = !this.shown.length;
    const options = this.shown.map((row, at) =>
      h(
        "li",
        { id: `canned-${at}`, role: "option", "aria-selected": String(at === this.at), onmousedown: (/** @type {Event} */ event) => (event.preventDefault(), this.put(row)) },
        row.shortcut && h("kbd", null, `/${row.shortcut}`),
        h("b", null, h("bdi", null, row.title || row.body.slice(0, 40))),
        h("small", { dir: "auto" }, withNames(bodyIn(row, this.reader.language), this.names())),
      ),
    );
    fill(this.element, ...options);
    options[this.at]?.scrollIntoView({ block: "nearest" });
    const { input } = this.composer;
    if (this.element.hidden) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-controls", "canned-menu");
    input.setAttribute("aria-activedescendant", `canned-${this.at}`);
  }

  close() {
    this.shown = [];
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!this.shown.length || event.isComposing || event.keyCode === 229 || event.altKey) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) {
      this.at = (this.at + step + this.shown.length) % this.shown.length;
      this.draw();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") this.put(this.shown[this.at]);
    else if (event.key === "Escape") {
      this.isShut = true;
      this.close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Canned} row */
  put(row) {
    const { input } = this.composer;
    const { before } = this;
    const start = before.length - (askedFor(before) ?? "").length - 1;
    const text = withNames(bodyIn(row, this.reader.language), this.names());
    this.composer.text = before.slice(0, start) + text + input.value.slice(before.length);
    input.setSelectionRange(start + text.length, start + text.length);
    this.composer.focus();
    this.close();
  }
}
