/** @import {Desk} from "../desk.js" */
/** @import {Entry} from "./entries.js" */
import { fill, h } from "../../ui/dom.js";
import { stamp } from "../../ui/time.js";
import { field, quiet, twice } from "../settings/form.js";
import { ListSection } from "../settings/section.js";
import { allOf, fitting, PAGE } from "./entries.js";
import { tell } from "./phrases.js";

const SHOWN = 50;

/** The translations that agents want kept, of one site at a time. */
export class Glossary extends ListSection {
  /** @param {Desk} desk */
  constructor(desk) {
    super(desk);
    /** @type {Entry[]} */
    this.entries = [];
    this.shown = SHOWN;
    this.loads = 0;
    this.site = h("select", { onchange: () => void this.load() });
    this.seek = h("input", { type: "search", autocomplete: "off", oninput: () => this.find() });
    this.sites = h("div", null, field(tell("site"), this.site));
    this.seeking = h("div", null, field(tell("search"), this.seek));
    for (const part of [this.sites, this.seeking]) part.hidden = true;
    this.element = h("section", { class: "kept", "aria-label": tell("title") }, h("h2", null, tell("title")), h("p", { class: "more" }, tell("intro")), this.sites, this.seeking, this.fault, this.list, this.adding);
  }

  /** Only the last one that was begun is shown. */
  async load() {
    const turn = ++this.loads;
    const found = await this.call("sites.list");
    if (!found || turn !== this.loads) return;
    this.offerSites(found.sites);
    const site = Number(this.site.value);
    const rows = site ? await allOf(async (before) => (await this.call("glossary.list", { site, limit: PAGE, before }))?.rows ?? null) : [];
    if (!rows || turn !== this.loads) return;
    await Promise.all([...new Set(rows.map(({ agent }) => agent))].map((agent) => this.desk.directory.ask(`a${agent}`)));
    if (turn !== this.loads) return;
    this.entries = rows;
    this.draw();
    if (site) this.offer(tell("add"), (place) => this.edit(place, null));
  }

  /** @param {{id: number, name: string}[]} sites */
  offerSites(sites) {
    const { value } = this.site;
    fill(this.site, ...sites.map(({ id, name }) => h("option", { value: String(id) }, name)));
    if (sites.some(({ id }) => String(id) === value)) this.site.value = value;
    this.sites.hidden = sites.length < 2;
  }

  find() {
    this.shown = SHOWN;
    this.draw();
  }

  draw() {
    const found = fitting(this.entries, this.seek.value);
    const further = () => {
      this.shown += SHOWN;
      this.draw();
    };
    this.seeking.hidden = !this.entries.length;
    const cards = found.slice(0, this.shown).map((entry) => this.card(entry));
    if (!cards.length) cards.push(h("p", { class: "more" }, tell(this.entries.length ? "nothing" : "none")));
    fill(this.list, ...cards, found.length > this.shown && quiet(tell("further"), further));
  }

  /** @param {Entry} entry */
  card(entry) {
    const { source, target, text, translation } = entry;
    const whose = `${this.desk.nameOf(`a${entry.agent}`)}, ${stamp(entry.updated_at, Date.now())}`;
    const card = h("div", { class: "card" });
    fill(
      card,
      h("p", { class: "more" }, h("bdi", null, source || tell("anyLanguage")), " → ", h("bdi", null, target), " · ", h("bdi", null, whose)),
      h("p", { class: "kept-text", dir: "auto", lang: source || undefined }, text),
      h("p", { class: "kept-text kept-translation", dir: "auto", lang: target }, translation),
      h("div", { class: "card-tools" }, quiet(tell("change"), () => this.edit(card, entry)), entry.may_delete && twice(tell("remove"), tell("removeSure"), () => void this.remove(entry))),
    );
    return card;
  }

  /** @param {Entry} entry */
  async remove(entry) {
    if (await this.call("glossary.delete", { entry: entry.id })) await this.load();
  }

  /**
   * @param {HTMLElement} place
   * @param {Entry | null} entry
   */
  edit(place, entry) {
    // A text or a language that changes is another entry, and the old one is deleted.
    const isFixed = entry !== null && !entry.may_delete;
    const site = entry?.site ?? Number(this.site.value);
    const tag = (/** @type {string} */ value) => h("input", { value, maxLength: 35, readOnly: isFixed, autocomplete: "off", autocapitalize: "none", spellcheck: false });
    const text = h("textarea", { required: true, maxLength: 4000, rows: 3, value: entry?.text ?? "", readOnly: isFixed, dir: "auto" });
    const translation = h("textarea", { required: true, maxLength: 4000, rows: 3, value: entry?.translation ?? "", dir: "auto" });
    const source = tag(entry?.source ?? "");
    const target = tag(entry?.target ?? "");
    target.required = true;
    const read = () => ({
      method: "glossary.set",
      params: { site, source: source.value.trim(), target: target.value.trim(), text: text.value, translation: translation.value },
      replaces: entry?.id,
    });
    this.ask(
      place, !entry, read,
      field(tell("text"), text, tell("textMore")),
      field(tell("translation"), translation),
      field(tell("source"), source, tell("sourceMore")),
      field(tell("target"), target, tell("targetMore")),
    );
    (isFixed ? translation : text).focus();
  }

  /**
   * @param {{entry: Entry}} answer
   * @param {{replaces?: number}} asked
   */
  async saved({ entry }, { replaces }) {
    const isAnother = replaces !== undefined && replaces !== entry.id;
    if (isAnother && !(await this.call("glossary.delete", { entry: replaces }))) return;
    await this.load();
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  faultOf(code, text) {
    if (code === "bad_request") return tell("wrong");
    if (code === "conflict") return tell("full");
    return code === "not_found" ? tell("gone") : text;
  }
}
