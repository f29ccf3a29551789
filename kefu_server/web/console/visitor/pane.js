/** @import {Desk, Row} from "../desk.js" */
/** @import {Away} from "../bans/visitor.js" */
/** @import {Profile} from "./form.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h, icon } from "../../ui/dom.js";
import { nameOf } from "../../ui/reading.js";
import { stamp } from "../../ui/time.js";
import { VisitorBan } from "../bans/visitor.js";
import { languageIn } from "../canned/texts.js";
import { NOWHERE, writePlace } from "../history/place.js";
import { statusText } from "../people.js";
import { VisitorForm } from "./form.js";
import { remember, wasOpen } from "./memory.js";
import { tell } from "./phrases.js";
import { VisitPart } from "./visit.js";

const MEMORY = "kefu.pane";

/** @typedef {{visitor: Profile, conversations: Row[], ban: Away | null}} Known */

/** Who the visitor is: beside the conversation, on a small screen over it. */
export class VisitorPane {
  /**
   * @param {Desk} desk
   * @param {() => void} changed
   */
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
    this.isSheet = matchMedia("(max-width: 1080px)");
    this.isOpen = !this.isSheet.matches && wasOpen(MEMORY);
    this.isSheet.addEventListener("change", () => this.open(!this.isSheet.matches && wasOpen(MEMORY)));
    this.visitor = 0;
    /** @type {Known | null} */
    this.known = null;
    this.isAsking = false;
    this.told = 0;
    /** What was known is of before the connection was lost. */
    this.isStale = true;
    /** @type {Map<number, VisitorForm>} those with something that is not stored, and the shown one */
    this.forms = new Map();
    const name = tell("open");
    this.button = h("button", { type: "button", class: "plain small opens", title: name, "aria-label": name, "aria-expanded": String(this.isOpen), "aria-controls": "visitor-pane", onclick: () => this.toggle() }, icon("person"));
    this.hide = h("button", { type: "button", class: "pane-close", title: tell("close"), "aria-label": tell("close"), onclick: () => this.toggle() }, icon("close"));
    this.facts = h("div", { class: "pane-facts" });
    this.reads = h("p", { class: "more reads" });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.form = h("section", { hidden: true, "aria-label": tell("who") });
    this.more = h("div");
    this.visit = new VisitPart(desk, changed);
    this.ban = new VisitorBan(desk, () => ((this.isStale = true), changed()));
    this.element = h("aside", { class: "info", id: "visitor-pane", "aria-label": tell("title"), onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, this.hide, this.facts, this.reads, this.visit.element, this.form, this.fault, this.more);
  }

  toggle() {
    this.open(!this.isOpen);
    if (!this.isSheet.matches) remember(MEMORY, this.isOpen);
    const next = this.isOpen && this.isSheet.matches ? this.hide : this.button;
    // What is not shown yet cannot have the focus.
    requestAnimationFrame(() => next.focus());
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.isOpen = isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.changed();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || !this.isSheet.matches) return;
    // Escape closes this, not what lies under it.
    event.stopPropagation();
    this.toggle();
  }

  /** Nobody is looked at. */
  clear() {
    this.select(0);
    this.visit.show(0, false);
  }

  /** @param {Row} row */
  show(row) {
    this.select(Number(row.visitor.slice(1)));
    const { desk } = this;
    if (!desk.chat.isLive) this.isStale = true;
    const isOld = this.isStale || !this.known || this.told !== this.toldNow;
    if (this.isOpen && isOld && desk.chat.isLive && !this.isAsking) void this.ask();
    this.element.toggleAttribute("inert", !this.isOpen);
    this.visit.show(this.number, this.isOpen);
  }

  /** @returns {number} the visitor's, which may have others: those of before its site knew it */
  get number() {
    return this.known?.visitor.id ?? this.visitor;
  }

  /** @param {number} visitor */
  select(visitor) {
    if (visitor === this.visitor) return;
    if (!this.forms.get(this.number)?.touched.length) this.forms.delete(this.number);
    this.visitor = visitor;
    // What lies over the conversation is of the one that was looked at.
    if (this.isOpen && this.isSheet.matches) this.open(false);
    this.known = null;
    this.isAsking = false;
    this.form.hidden = true;
    fill(this.fault);
    fill(this.reads);
    fill(this.more);
  }

  /** @returns {number} grows when somebody has changed something of the visitor */
  get toldNow() {
    return this.desk.profiles.get(this.number)?.told ?? 0;
  }

  async ask() {
    const { visitor, desk } = this;
    this.isAsking = true;
    this.told = this.toldNow;
    this.isStale = false;
    try {
      const known = await desk.chat.call("visitor.get", { visitor });
      if (visitor === this.visitor) this.take(/** @type {any} */ (known));
    } catch (error) {
      if (visitor !== this.visitor) return;
      const isGone = error instanceof Refusal && error.code === "not_found";
      if (!isGone) setTimeout(() => ((this.isStale = true), this.changed()), 3_000);
      fill(this.fault, isGone ? tell("gone") : tell("failed"));
    }
    if (visitor === this.visitor) this.isAsking = false;
  }

  /** @param {Known} known */
  take(known) {
    this.known = known;
    fill(this.fault);
    const { visitor } = known;
    let form = this.forms.get(visitor.id);
    if (form) form.take(visitor);
    else {
      form = new VisitorForm(visitor, (method, params) => this.desk.chat.call(method, params));
      this.forms.set(visitor.id, form);
    }
    if (this.form.firstElementChild !== form.element) fill(this.form, form.element);
    this.form.hidden = false;
    fill(this.reads, ...this.language(visitor));
    fill(this.more, visitor.is_verified && h("p", { class: "verified" }, tell("verified")), this.attributes(visitor.attributes), this.earlier(known.conversations), this.ban.element);
    this.ban.show(visitor.id, known.ban);
    this.changed();
  }

  /** @param {Profile} visitor what it reads, and whether it has said so */
  language({ language, chosen_language }) {
    const { desk } = this;
    const found = (desk.shown && languageIn(desk.lines(desk.shown))) || language;
    const tag = chosen_language || found;
    return tag ? [`${tell("language")}: `, h("bdi", null, nameOf(tag)), ` · ${tell(chosen_language ? "languageChosen" : "languageFound")}`] : [];
  }

  /** @param {Record<string, any>} attributes what the page told, as text */
  attributes(attributes) {
    const all = Object.entries(attributes);
    if (!all.length) return null;
    const rows = all.flatMap(([name, value]) => [h("dt", null, h("bdi", null, name)), h("dd", null, h("bdi", null, String(value)))]);
    return h("section", { class: "pane-part" }, h("h4", null, tell("attributes")), h("p", { class: "more" }, tell("attributesMore")), h("dl", { class: "attributes" }, ...rows));
  }

  /** @param {Row[]} rows */
  earlier(rows) {
    const others = rows.filter((row) => row.id !== this.desk.shown);
    if (!others.length) return null;
    const now = Date.now();
    const items = others.map((row) =>
      h("li", null, h("a", { href: writePlace({ ...NOWHERE, visitor: row.visitor, conversation: row.id }) }, h("span", null, stamp(row.last_at, now), " · ", statusText(row)), h("bdi", null, row.last_line || "–"))),
    );
    return h("section", { class: "pane-part" }, h("h4", null, tell("earlier")), h("ul", { class: "earlier" }, ...items));
  }
}
