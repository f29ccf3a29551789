import { fill, h, icon } from "./dom.js";
import { t } from "./i18n.js";

/** Where a person writes: grows with the text, Enter sends, Shift+Enter breaks. */
export class Composer {
  /**
   * @param {object} parts
   * @param {(body: string) => void} parts.send
   * @param {(text: string) => void} parts.typing
   * @param {() => boolean} [parts.up] the key was pressed with nothing written
   */
  constructor({ send, typing, up }) {
    this.parts = { send, typing, up };
    this.limit = 4000;
    /** @type {((body: string) => void) | null} takes what is written instead of sending it */
    this.instead = null;
    /** @type {(() => void) | null} gives that up */
    this.release = null;
    this.input = h("textarea", {
      class: "composer-input",
      rows: 1,
      dir: "auto",
      enterKeyHint: "send",
      autocomplete: "off",
      oninput: () => this.changed(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.pressed(event),
    });
    this.button = h("button", { class: "composer-send", type: "submit" }, icon("send"));
    this.excess = h("div", { class: "composer-excess", role: "status", hidden: true });
    this.element = h(
      "form",
      { class: "composer", onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), this.submit()) },
      this.input,
      this.button,
      this.excess,
    );
    this.label(t("composerVisitor"));
    this.changed(false);
  }

  /**
   * @param {string} text what the empty field says
   * @param {string} [button] what the button does
   */
  label(text, button = t("send")) {
    this.input.placeholder = text;
    this.input.setAttribute("aria-label", text);
    this.button.setAttribute("aria-label", button);
    this.button.title = button;
  }

  /** @param {string} text goes on after what is there */
  add(text) {
    this.text = this.text ? `${this.text}\n${text}` : text;
    this.focus();
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  get text() {
    return this.input.value;
  }

  /** @param {string} text */
  set text(text) {
    this.input.value = text;
    this.changed(false);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === "ArrowUp" && !this.text && !this.instead && !event.isComposing && this.parts.up?.()) event.preventDefault();
    // While an input method composes, Enter chooses a word; 229 is how Safari says so.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    // What no database can hold would fail for good; it can only come from a paste.
    const body = this.text.replaceAll("\0", "").trim();
    if (!body || [...body].length > this.limit) return;
    if (this.instead) return this.instead(body);
    this.text = "";
    this.parts.send(body);
    this.focus();
  }

  changed(isTyped = true) {
    const excess = [...this.text.trim()].length - this.limit;
    this.excess.hidden = excess <= 0;
    if (excess > 0) fill(this.excess, t("tooLong", { count: excess }));
    this.button.disabled = !this.text.trim() || excess > 0;
    this.input.style.setProperty("height", "auto");
    // Out of sight it has no height to take.
    const height = this.input.scrollHeight;
    if (height) this.input.style.setProperty("height", `${height}px`);
    if (isTyped && !this.instead) this.parts.typing(this.text.trim());
  }
}
