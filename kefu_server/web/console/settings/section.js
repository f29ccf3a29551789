/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/** @typedef {{method: string, params: Record<string, any>, replaces?: number}} Asked what a form asks for, and the id that it makes needless */

/** A part of the settings: a line for what went wrong, a list, and where one is added. */
export class ListSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("div", null);
    this.adding = h("div", null);
    this.element = h("section", null, this.fault, this.list, this.adding);
    this.isDue = false;
  }

  enter() {
    this.isDue = true;
    this.show();
  }

  /** Ask as soon as somebody is there to answer: a page may be opened before that. */
  show() {
    if (!this.isDue || !this.desk.chat.isLive) return;
    this.isDue = false;
    void this.load();
  }

  /** Ask for what is there, and show it. */
  async load() {}

  /**
   * Offer to add one.
   * @param {string} text
   * @param {(place: HTMLElement) => void} edit
   */
  offer(text, edit) {
    fill(this.adding, h("button", { type: "button", class: "primary", onclick: () => edit(this.adding) }, text));
  }

  /**
   * Show a form that saves once at a time, and can be left.
   * @param {HTMLElement} place
   * @param {boolean} isNew
   * @param {() => Asked} read
   * @param {...(Node | string | null | undefined | false)} fields
   */
  ask(place, isNew, read, ...fields) {
    const save = h("button", { class: "primary" }, tell("save"));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      save.disabled = true;
      const asked = read();
      const answer = await this.call(asked.method, asked.params);
      if (answer) await this.saved(answer, asked);
      save.disabled = false;
    };
    const leave = h("button", { type: "button", class: "plain", onclick: () => void this.load() }, tell("cancel"));
    const form = h("form", { onsubmit: submit }, ...fields, h("div", { class: "card-tools" }, save, leave));
    fill(place, isNew ? h("div", { class: "card" }, form) : form);
    form.querySelector("input")?.focus();
  }

  /**
   * A form was taken.
   * @param {any} _answer
   * @param {Asked} _asked
   */
  async saved(_answer, _asked) {
    await this.load();
  }

  /**
   * What to say of a refusal: the server's own sentence unless a section knows better.
   * @param {string} _code
   * @param {string} text
   */
  faultOf(_code, text) {
    return text;
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} [params]
   * @returns {Promise<any>} null when it was refused, which is said
   */
  async call(method, params = {}) {
    try {
      const answer = await this.desk.chat.call(method, params);
      fill(this.fault);
      return answer;
    } catch (error) {
      const isTold = error instanceof Refusal && error.code !== "disconnected";
      fill(this.fault, isTold ? this.faultOf(error.code, error.message) : tell("failed"));
      this.fault.scrollIntoView({ block: "nearest" });
      return null;
    }
  }
}
