/** @import {Desk} from "../desk.js" */
import { h } from "../../ui/dom.js";
import { box, field, quiet } from "../settings/form.js";
import { SiteCards } from "../talk/cards.js";
import { tell } from "./rulephrases.js";

const RULES_MAX = 20;

/**
 * @typedef {object} Rule
 * @property {string} name
 * @property {boolean} is_on
 * @property {string} url
 * @property {number} after_s
 * @property {number} pages
 * @property {boolean} only_returning
 * @property {string} text
 */

/** @type {Rule} what a new one says first */
const NEW = { name: "", is_on: true, url: "", after_s: 30, pages: 1, only_returning: false, text: "" };

/** @param {Desk} desk */
export function make(desk) {
  return new SiteCards(desk, {
    part: "watching",
    more: tell("more"),
    fields: ({ settings: { watching } }) => {
      const isOn = h("input", { type: "checkbox", checked: watching.is_on });
      const onlyStaffed = h("input", { type: "checkbox", checked: watching.only_staffed });
      const rules = new Rules(watching.rules);
      return {
        nodes: [
          box(isOn, tell("isOn"), tell("isOnMore")),
          box(onlyStaffed, tell("onlyStaffed")),
          rules.element,
        ],
        read: () => ({ ...watching, is_on: isOn.checked, only_staffed: onlyStaffed.checked, rules: rules.read() }),
      };
    },
  });
}

/** The rules of one site, in the order in which they are looked at. */
class Rules {
  /** @param {Rule[]} rules */
  constructor(rules) {
    this.list = h("div", null);
    this.add = quiet(tell("add"), () => this.put(NEW).querySelector("input")?.focus());
    this.element = h("div", { class: "invite-rules" }, h("p", { class: "more" }, tell("rulesMore")), this.list, this.add);
    /** @type {Map<Element, () => Rule>} */
    this.readers = new Map();
    for (const rule of rules) this.put(rule);
  }

  /** @param {Rule} rule */
  put(rule) {
    const name = h("input", { required: true, maxLength: 60, value: rule.name, autocomplete: "off" });
    const url = h("input", { maxLength: 200, value: rule.url, placeholder: "/cart*", autocomplete: "off", spellcheck: false, dir: "ltr" });
    const number = (/** @type {number} */ value, /** @type {string} */ min, /** @type {string} */ max) => h("input", { type: "number", required: true, min, max, value: String(value) });
    const after = number(rule.after_s, "0", "3600");
    const pages = number(rule.pages, "1", "100");
    const returning = h("input", { type: "checkbox", checked: rule.only_returning });
    const isOn = h("input", { type: "checkbox", checked: rule.is_on });
    const text = h("textarea", { maxLength: 300, value: rule.text, placeholder: tell("textEmpty"), dir: "auto" });
    const up = quiet("↑", () => element.previousElementSibling?.before(element));
    up.setAttribute("aria-label", tell("earlier"));
    up.title = tell("earlier");
    const remove = quiet(tell("remove"), () => {
      element.remove();
      this.readers.delete(element);
      this.count();
    });
    const element = h(
      "fieldset",
      { class: "boxes invite-rule" },
      h("legend", null, tell("rule")),
      field(tell("name"), name),
      field(tell("url"), url, tell("urlMore")),
      h("div", { class: "invite-numbers" }, field(tell("after"), after), field(tell("pages"), pages)),
      box(returning, tell("returning")),
      field(tell("text"), text),
      box(isOn, tell("ruleOn")),
      h("div", { class: "card-tools" }, up, remove),
    );
    this.readers.set(element, () => ({
      name: name.value.trim(),
      is_on: isOn.checked,
      url: url.value.trim(),
      after_s: Number(after.value),
      pages: Number(pages.value),
      only_returning: returning.checked,
      text: text.value.trim(),
    }));
    this.list.append(element);
    this.count();
    return element;
  }

  count() {
    this.add.disabled = this.readers.size >= RULES_MAX;
  }

  /** @returns {Rule[]} */
  read() {
    return [...this.list.children].map((element) => /** @type {() => Rule} */ (this.readers.get(element))());
  }
}
