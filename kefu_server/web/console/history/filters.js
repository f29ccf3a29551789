/** @import {Facets} from "./archive.js" */
/** @import {Order, Place, Wanted} from "./place.js" */
import { fill, h, icon } from "../../ui/dom.js";
import { t } from "../../ui/i18n.js";
import { Disclosure } from "../disclosure.js";
import { filterCount, NOWHERE, ORDERS } from "./place.js";
import { tell } from "./phrases.js";

/** @typedef {[value: string, text: string]} Choice */

const ORDER_PHRASES = /** @type {const} */ ({ newest: "newest", relevance: "relevance", grouped: "byConversation" });

/** The form above the list: a text, and what narrows. */
export class Filters {
  /**
   * @param {(wanted: Wanted) => void} changed
   * @param {(visitor: string) => string} nameOf
   */
  constructor(changed, nameOf) {
    this.nameOf = nameOf;
    /** @type {Facets} */
    this.facets = { sites: [], agents: [], labels: [] };
    this.place = NOWHERE;
    this.text = h("input", { type: "search", class: "seek-text", name: "text", maxLength: 200, placeholder: tell("searchMark"), "aria-label": tell("searchAll"), autocomplete: "off", enterKeyHint: "search", dir: "auto" });
    this.site = h("select", { name: "site" });
    this.agent = h("select", { name: "agent" });
    this.status = h("select", { name: "status" });
    this.label = h("select", { name: "label" });
    this.from = h("input", { type: "date", name: "from" });
    this.to = h("input", { type: "date", name: "to" });
    this.siteField = this.field(tell("site"), this.site);
    this.labelField = this.field(tell("label"), this.label);
    this.visitor = h("button", { type: "button", class: "chip", hidden: true, onclick: () => changed({ ...this.read(), visitor: "" }) });
    this.clear = h("button", { type: "button", class: "link", onclick: () => changed({ ...NOWHERE, text: this.text.value.trim() }) }, tell("clear"));
    this.panel = h(
      "div",
      { class: "seek-filters" },
      this.siteField,
      this.field(tell("agent"), this.agent),
      this.field(tell("status"), this.status),
      this.labelField,
      this.field(tell("from"), this.from),
      this.field(tell("to"), this.to),
      h("div", { class: "seek-clear" }, this.clear),
    );
    this.count = h("span", { class: "count hot", hidden: true });
    this.opener = new Disclosure({ id: "filters", name: tell("filters"), face: [tell("filters"), this.count], panel: this.panel });
    this.orders = this.orderChoice();
    this.tools = h("div", { class: "seek-tools" }, this.opener.element, this.visitor);
    const line = h("div", { class: "seek-line" }, this.text, h("button", { type: "submit", class: "primary seek-go", "aria-label": tell("search"), title: tell("search") }, icon("search")));
    const submit = (/** @type {Event} */ event) => (event.preventDefault(), changed(this.read()));
    this.element = h("form", { class: "seek", role: "search", "aria-label": tell("searchAll"), onsubmit: submit, onchange: submit, onsearch: submit }, line, this.tools, this.panel, this.orders);
  }

  /**
   * @param {string} name
   * @param {HTMLInputElement | HTMLSelectElement} input
   */
  field(name, input) {
    input.id = `filter-${input.name}`;
    return h("div", { class: "seek-field" }, h("label", { htmlFor: input.id }, name), input);
  }

  orderChoice() {
    const radios = ORDERS.map((order) => h("label", null, h("input", { type: "radio", name: "order", value: order }), h("span", null, tell(ORDER_PHRASES[order]))));
    return h("fieldset", { class: "ways seek-orders", hidden: true }, h("legend", { class: "only-heard" }, tell("order")), h("div", { class: "ways-row" }, ...radios));
  }

  /** @returns {Wanted} */
  read() {
    const checked = /** @type {HTMLInputElement | null} */ (this.orders.querySelector("input:checked"));
    return {
      text: this.text.value.trim(),
      site: this.site.value,
      agent: this.agent.value,
      visitor: this.place.visitor,
      status: this.status.value,
      label: this.label.value,
      from: this.from.value,
      to: this.to.value,
      order: /** @type {Order} */ (checked?.value ?? NOWHERE.order),
    };
  }

  /** @param {Place} place */
  show(place) {
    this.place = place;
    // What is being typed is not taken away by an answer.
    if (document.activeElement !== this.text || !this.text.value) this.text.value = place.text;
    const { sites, agents, labels } = this.facets;
    this.siteField.hidden = sites.length < 2 && !place.site;
    this.labelField.classList.toggle("wide", this.siteField.hidden);
    choose(this.site, place.site, tell("anySite"), sites.map((site) => [String(site.id), site.name]));
    choose(this.agent, place.agent, tell("anyAgent"), agents.map(({ id, name, is_active }) => [id, is_active ? name : tell("inactive", { name })]));
    choose(this.status, place.status, tell("anyStatus"), [["queued", t("statusQueued")], ["active", t("statusActive")], ["closed", t("closed")]]);
    choose(this.label, place.label, tell("anyLabel"), labels.map((label) => [label, label]));
    this.from.value = place.from;
    this.to.value = place.to;
    const count = filterCount(place);
    this.count.hidden = !count;
    fill(this.count, String(count));
    this.clear.hidden = !count;
    this.visitor.hidden = !place.visitor;
    if (place.visitor) fill(this.visitor, tell("onlyVisitor", { name: this.nameOf(place.visitor) }), icon("close"));
    this.orders.hidden = !place.text;
    for (const radio of this.orders.querySelectorAll("input")) radio.checked = radio.value === place.order;
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 * @param {string} any what nothing chosen is called
 * @param {Choice[]} choices
 */
function choose(select, value, any, choices) {
  // What a URL asks for is shown, whether it is still offered or not.
  const isOffered = !value || choices.some(([each]) => each === value);
  /** @type {Choice[]} */
  const all = [["", any], ...choices, ...(isOffered ? [] : [/** @type {Choice} */ ([value, value])])];
  const mark = JSON.stringify(all);
  if (select.dataset.mark !== mark) {
    select.dataset.mark = mark;
    fill(select, ...all.map(([each, text]) => h("option", { value: each }, text)));
  }
  select.value = value;
  select.classList.toggle("set", Boolean(value));
}
