/** @import {Composer} from "../ui/composer.js" */
import { h } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { say } from "./phrases.js";

/**
 * @typedef {"text" | "note"} Kind a reply, or a note that no visitor gets
 * @typedef {{kind: Kind, text: string, note: string}} Draft what is written and not sent
 */

/** @type {[Kind, "replyKind" | "noteKind"][]} */
const KINDS = [["text", "replyKind"], ["note", "noteKind"]];

/**
 * Replies and notes that are being written, of each conversation its own. The two are
 * never one text: what was written as a note does not become a reply by a switch.
 */
export class Writing {
  /**
   * @param {object} parts
   * @param {Composer} parts.composer
   * @param {Map<number, Draft>} parts.drafts by conversation; they outlive the screen
   * @param {() => void} parts.switched the other kind is written now
   */
  constructor({ composer, drafts, switched }) {
    this.composer = composer;
    this.drafts = drafts;
    this.switched = switched;
    /** @type {number | null} */
    this.id = null;
    this.buttons = KINDS.map(([kind, phrase]) =>
      h("button", { type: "button", "data-kind": kind, title: say("keyNote") + " (Alt+N)", onclick: () => this.use(kind) }, say(phrase)),
    );
    this.element = h("div", { class: "kinds", role: "group", "aria-label": say("kinds") }, ...this.buttons);
    composer.element.prepend(this.element);
  }

  /** @returns {Kind} what Enter sends at this moment */
  get kind() {
    return this.of(this.id).kind;
  }

  /**
   * @param {number | null} id
   * @returns {Draft}
   */
  of(id) {
    const kept = id === null ? undefined : this.drafts.get(id);
    return kept ?? { kind: "text", text: "", note: "" };
  }

  /** Keep what is in the composer. */
  keep() {
    if (this.id === null) return;
    const draft = this.of(this.id);
    this.drafts.set(this.id, { ...draft, [draft.kind]: this.composer.text });
  }

  /** @param {number | null} id the conversation that is written in from here on */
  open(id) {
    this.composer.release?.();
    this.keep();
    this.id = id;
    this.show();
  }

  /** @param {Kind} kind */
  use(kind) {
    this.composer.focus();
    if (this.id === null || kind === this.kind) return;
    this.composer.release?.();
    this.keep();
    const draft = this.of(this.id);
    // A reply may turn out to be a note after all; the other way round it would tell.
    const moved = kind === "note" && !draft.note ? { note: draft.text, text: "" } : {};
    this.drafts.set(this.id, { ...draft, ...moved, kind });
    this.show();
    this.switched();
  }

  toggle() {
    this.use(this.kind === "note" ? "text" : "note");
  }

  /**
   * Put a reply that was not sent back to where it was written.
   * @param {number} id
   * @param {string} text
   */
  giveBack(id, text) {
    if (id === this.id) this.composer.release?.();
    if (id === this.id) this.keep();
    const draft = this.of(id);
    this.drafts.set(id, { ...draft, text: draft.text ? `${text}\n${draft.text}` : text });
    if (id === this.id) this.show();
  }

  show() {
    const { kind } = this;
    this.composer.text = this.of(this.id)[kind];
    this.composer.element.classList.toggle("is-note", kind === "note");
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  }

  /** @param {string} name of the visitor */
  label(name) {
    const isNote = this.kind === "note";
    this.composer.label(isNote ? say("composerNote") : t("composerAgent", { name }), isNote ? say("addNote") : t("send"));
  }
}
