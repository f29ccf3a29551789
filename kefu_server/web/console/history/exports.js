import { fill, h, icon } from "../../ui/dom.js";
import { getLocale } from "../../ui/i18n.js";
import { Disclosure } from "../disclosure.js";
import { urlOf } from "./archive.js";
import { tell } from "./phrases.js";

const FORMATS = /** @type {const} */ ([["html", "formatHtml"], ["csv", "formatCsv"], ["jsonl", "formatJsonl"]]);

/** A menu of links that the browser downloads by itself. */
export class ExportMenu {
  /**
   * @param {string} id
   * @param {"exportAll" | "exportOne"} title
   * @param {string} [more] a sentence below
   */
  constructor(id, title, more = "") {
    this.links = h("ul", { class: "menu-list" });
    const panel = h("div", { class: "menu", role: "group", "aria-label": tell(title), tabIndex: -1 }, h("p", { class: "menu-title" }, tell(title)), this.links, more && h("p", { class: "menu-more" }, more));
    this.menu = new Disclosure({ id, name: tell(title), face: [icon("save")], panel, isMenu: true });
    this.element = this.menu.element;
    this.mark = "";
  }

  /** @param {URLSearchParams} params what is exported */
  show(params) {
    const mark = String(params);
    if (mark === this.mark) return;
    this.mark = mark;
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const links = FORMATS.map(([format, phrase]) => {
      const all = new URLSearchParams({ format, language: getLocale(), ...(timeZone ? { tz: timeZone } : {}), ...Object.fromEntries(params) });
      return h("li", null, h("a", { href: urlOf("export", all), download: "", onclick: () => this.menu.open(false) }, tell(phrase)));
    });
    fill(this.links, ...links);
  }
}
