/** @import {Composer} from "./composer.js" */
/** @import {Line} from "./items.js" */
import { fill, h } from "./dom.js";
import { t } from "./i18n.js";

/** Writes one's own message anew in the composer; what was being written waits meanwhile. */
export class Editing {
  /**
   * @param {object} parts
   * @param {Composer} parts.composer
   * @param {(line: Line, body: string, key: string) => Promise<unknown>} parts.save
   */
  constructor({ composer, save }) {
    this.composer = composer;
    this.save = save;
    /** @type {Line | null} */
    this.line = null;
    this.key = "";
    this.before = "";
    this.what = h("span", { role: "status" });
    this.bar = h("div", { class: "editing", hidden: true }, this.what, h("button", { type: "button", class: "link", onclick: () => this.stop() }, t("cancel")));
    composer.element.prepend(this.bar);
    composer.release = () => this.stop();
    composer.input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || !this.line) return;
      event.stopPropagation();
      this.stop();
    });
  }

  /** @param {Line} line */
  start(line) {
    if (!this.line) this.before = this.composer.text;
    this.line = line;
    // The same edit, however often it has to be sent.
    this.key = crypto.getRandomValues(new Uint32Array(3)).join("-").slice(0, 32);
    this.show(t("editing"));
    this.composer.instead = (body) => void this.done(body);
    this.composer.text = line.body;
    this.composer.focus();
  }

  /** Give the composer back as it was. */
  stop() {
    if (!this.line) return;
    this.line = this.composer.instead = null;
    this.bar.hidden = true;
    this.composer.element.classList.remove("is-editing");
    this.composer.text = this.before;
    this.composer.focus();
  }

  /** @param {string} body */
  async done(body) {
    const { line, key } = this;
    if (!line) return;
    if (body === line.body) return this.stop();
    this.show(t("sending"));
    try {
      await this.save(line, body, key);
      if (this.line === line) this.stop();
    } catch {
      // What was written stays until it is saved or given up.
      if (this.line === line) this.show(t("notEdited"));
    }
  }

  /** @param {string} text */
  show(text) {
    fill(this.what, text);
    this.bar.hidden = false;
    this.composer.element.classList.add("is-editing");
  }
}
