import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { field } from "../settings/form.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Profile a visitor as agents know it
 * @property {number} id
 * @property {string} participant
 * @property {number} site_id
 * @property {string} name
 * @property {string} email
 * @property {string} phone
 * @property {string} notes
 * @property {Record<string, any>} attributes
 * @property {string} language of the browser
 * @property {string} chosen_language empty: it has chosen none
 * @property {boolean} is_verified
 * @property {number} revision
 *
 * @typedef {"name" | "email" | "phone" | "notes"} Field
 */

const FIELDS = /** @type {const} */ (["name", "email", "phone", "notes"]);

/**
 * What an agent may change. What others change meanwhile is shown in fields that were not
 * touched, and beside those that were: nothing is overwritten unseen.
 */
export class VisitorForm {
  /**
   * @param {Profile} profile
   * @param {(method: string, params: Record<string, any>) => Promise<any>} call
   */
  constructor(profile, call) {
    this.call = call;
    this.base = profile;
    this.isSaving = false;
    const typed = () => this.typed();
    /** @type {Record<Field, HTMLInputElement | HTMLTextAreaElement>} */
    this.inputs = {
      name: h("input", { type: "text", maxLength: 100, autocomplete: "off", dir: "auto", oninput: typed }),
      email: h("input", { type: "text", inputMode: "email", maxLength: 254, autocomplete: "off", spellcheck: false, oninput: typed }),
      phone: h("input", { type: "tel", maxLength: 40, autocomplete: "off", oninput: typed }),
      notes: h("textarea", { maxLength: 5_000, rows: 3, dir: "auto", oninput: typed }),
    };
    this.others = Object.fromEntries(FIELDS.map((name) => [name, h("p", { class: "meanwhile", hidden: true })]));
    this.save = h("button", { class: "primary" }, tell("save"));
    this.tools = h("div", { class: "card-tools", hidden: true }, this.save, h("button", { type: "button", class: "plain", onclick: () => this.undo() }, tell("undo")));
    this.fault = h("p", { class: "fault", role: "alert" });
    this.done = h("p", { class: "only-heard", role: "status" });
    const rows = FIELDS.flatMap((name) => [field(tell(name), this.inputs[name], name === "notes" ? tell("notesMore") : ""), this.others[name]]);
    this.element = h("form", { class: "visitor-form", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), void this.submit()) }, ...rows, this.fault, this.tools, this.done);
    for (const name of FIELDS) this.inputs[name].value = profile[name];
    this.typed();
  }

  /** @returns {Field[]} what was written here and is not stored */
  get touched() {
    return FIELDS.filter((name) => this.inputs[name].value.trim() !== this.base[name]);
  }

  typed() {
    this.tools.hidden = !this.touched.length;
  }

  undo() {
    for (const name of FIELDS) {
      this.inputs[name].value = this.base[name];
      this.others[name].hidden = true;
    }
    fill(this.fault);
    this.typed();
    this.inputs.name.focus();
  }

  /**
   * Go on from what is stored now.
   * @param {Profile} now
   * @returns {boolean} whether nothing that was written here was changed by others
   */
  take(now) {
    const mine = this.touched;
    const both = mine.filter((name) => now[name] !== this.base[name] && now[name] !== this.inputs[name].value.trim());
    for (const name of FIELDS) if (!mine.includes(name)) this.inputs[name].value = now[name];
    for (const name of both) {
      const take = () => {
        this.inputs[name].value = this.base[name];
        this.others[name].hidden = true;
        this.typed();
        this.inputs[name].focus();
      };
      const text = h("bdi", null, now[name] || tell("empty"));
      const [before, after] = tell("theirs", { text: "\n" }).split("\n");
      fill(this.others[name], before, text, after, " ", h("button", { type: "button", class: "plain small", onclick: take }, tell("take")));
      this.others[name].hidden = false;
    }
    this.base = now;
    this.typed();
    return !both.length;
  }

  async submit() {
    if (this.isSaving || !this.touched.length) return;
    this.isSaving = this.save.disabled = true;
    fill(this.fault);
    try {
      await this.store(true);
    } catch (error) {
      const isTold = error instanceof Refusal && error.code !== "disconnected";
      fill(this.fault, isTold ? error.message : tell("failed"));
    }
    this.isSaving = this.save.disabled = false;
  }

  /**
   * @param {boolean} isFirst
   * @returns {Promise<void>}
   */
  async store(isFirst) {
    const sent = Object.fromEntries(this.touched.map((name) => [name, this.inputs[name].value.trim()]));
    const { id, revision } = this.base;
    try {
      const { visitor } = await this.call("visitor.put", { visitor: id, revision, ...sent });
      this.stored(visitor, sent);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "conflict") throw error;
      const { visitor } = await this.call("visitor.get", { visitor: id });
      // Others changed something else: what is written here goes on top of it.
      if (this.take(visitor) && isFirst) return this.store(false);
      fill(this.fault, tell("changed"));
    }
  }

  /**
   * @param {Profile} now
   * @param {Record<string, string>} sent what was written when it was sent
   */
  stored(now, sent) {
    for (const [name, text] of Object.entries(sent)) {
      const input = this.inputs[/** @type {Field} */ (name)];
      if (input.value.trim() === text) input.value = now[/** @type {Field} */ (name)];
      this.others[name].hidden = true;
    }
    this.take(now);
    fill(this.done, tell("saved"));
  }
}
