/** @import {Desk} from "../desk.js" */
/** @import {Section} from "../settings/sections.js" */
import { h } from "../../ui/dom.js";
import { isAdmin } from "../settings/sections.js";
import { Figures } from "./figures.js";
import { Glossary } from "./glossary.js";
import { make as makeRules } from "./rules.js";

/** @param {Desk} desk */
export function make(desk) {
  return new TranslationParts(desk);
}

/** How sites translate and what they use, for admins, and what agents have said of single texts. */
class TranslationParts {
  /** @param {Desk} desk */
  constructor(desk) {
    /** @type {Section[]} */
    this.parts = [...(isAdmin(desk.me) ? [makeRules(desk), new Figures(desk)] : []), new Glossary(desk)];
    this.element = h("div", null, ...this.parts.map(({ element }) => element));
  }

  enter() {
    for (const part of this.parts) part.enter();
  }

  show() {
    for (const part of this.parts) part.show?.();
  }
}
