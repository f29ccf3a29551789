/** @import {Desk} from "../desk.js" */
import { languageIn } from "./texts.js";

/** What those read to whom one writes: by what was translated, else by their browsers. */
export class Reader {
  /**
   * @param {Desk} desk
   * @param {() => number | null} here the conversation that is open
   */
  constructor(desk, here) {
    this.desk = desk;
    this.here = here;
    /** @type {Map<string, string>} by visitor; empty: it is not known */
    this.browsers = new Map();
  }

  /** @returns {string | undefined} whose conversation it is */
  get visitor() {
    return this.desk.rows.get(this.here() ?? 0)?.visitor;
  }

  /** @returns {string} a tag; empty: nothing is known */
  get language() {
    const id = this.here();
    return (id && languageIn(this.desk.lines(id))) || this.browsers.get(this.visitor ?? "") || "";
  }

  /**
   * Ask once for what a visitor's browser has.
   * @returns {Promise<boolean>} something is known that was not
   */
  async learn() {
    const { visitor, desk } = this;
    if (!visitor || this.language || this.browsers.has(visitor) || !desk.chat.isLive) return false;
    this.browsers.set(visitor, "");
    try {
      const known = await desk.chat.call("visitor.get", { visitor: Number(visitor.slice(1)) });
      this.browsers.set(visitor, known.visitor.chosen_language || known.visitor.language);
      return true;
    } catch {
      this.browsers.delete(visitor);
      return false;
    }
  }
}
