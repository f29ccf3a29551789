/** @import {Desk} from "../desk.js" */
/** @import {Section, SectionKind} from "./sections.js" */
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";
import { SECTIONS } from "./sections.js";

/** @param {Desk} desk */
export function make(desk) {
  return new SettingsPage(desk);
}

/** A list of sections, and the one that the URL names. */
class SettingsPage {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.kinds = SECTIONS.filter((kind) => kind.isFor?.(desk.me) ?? true);
    this.links = this.kinds.map((kind) => h("a", { href: `#/settings/${kind.name}` }, kind.title()));
    this.body = h("div", { class: "settings-body" });
    /** @type {Map<string, Section>} */
    this.made = new Map();
    this.name = "";
    const nav = h("nav", { class: "settings-nav", "aria-label": tell("settings") }, ...this.links);
    this.element = h("main", { class: "page settings" }, h("h1", null, tell("settings")), h("div", { class: "settings-parts" }, nav, this.body));
  }

  /** @param {string} rest */
  enter(rest) {
    const kind = this.kinds.find(({ name }) => rest === `/${name}`) ?? this.kinds[0];
    this.name = kind.name;
    for (const [at, link] of this.links.entries()) {
      if (this.kinds[at] !== kind) {
        link.removeAttribute("aria-current");
        continue;
      }
      link.setAttribute("aria-current", "page");
      // On a phone they are a row that scrolls.
      requestAnimationFrame(() => link.scrollIntoView({ block: "nearest", inline: "nearest" }));
    }
    void this.open(kind);
  }

  /** @param {SectionKind} kind */
  async open(kind) {
    try {
      const section = this.made.get(kind.name) ?? (await kind.load()).make(this.desk);
      this.made.set(kind.name, section);
      if (this.name !== kind.name) return;
      fill(this.body, section.element);
      section.enter();
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")));
    }
  }

  show() {
    this.made.get(this.name)?.show?.();
  }
}
