/** @import {Model} from "./model.js" */
import { Refusal } from "../client/chat.js";

/** The server takes no more; what a page says too much is cut, not refused. */
const ATTRIBUTES_MAX = 20;
const NAME_CHARS = 40;
const TEXT_CHARS = 200;
const FACTS = /** @type {const} */ ({ name: 100, email: 254, phone: 40 });

/** What the page says of its visitor, told to the server once there is a conversation. */
export class About {
  /**
   * @param {Model} model
   * @param {string} site
   */
  constructor(model, site) {
    this.model = model;
    this.memory = `kefu.told.${site}`;
    /** @type {Record<string, any>} */
    this.wanted = {};
    this.tried = "";
  }

  /** @param {Record<string, any>} said by the page, which may say anything */
  take({ attributes, identity }) {
    const facts = isRecord(identity) ? Object.entries(FACTS).map(([name, chars]) => [name, line(identity[name], chars)]) : [];
    const all = isRecord(attributes) ? Object.entries(attributes).map(([name, value]) => [line(name, NAME_CHARS), plain(value)]) : [];
    const kept = all.filter(([name, value]) => name && value !== undefined).slice(-ATTRIBUTES_MAX);
    this.wanted = { ...Object.fromEntries(facts.filter(([, text]) => text)), attributes: Object.fromEntries(kept) };
    void this.tell();
  }

  /** Say it if it is not said yet. What is refused is not said again before it changes. */
  async tell() {
    const { chat, conversation, me } = this.model;
    const text = `${me} ${JSON.stringify(this.wanted)}`;
    if (!conversation || !chat.isLive || text === this.tried || text === this.told) return;
    this.tried = text;
    const { phone: _phone, ...callable } = this.wanted;
    const { email: _email, ...named } = callable;
    // A number or an address that is none does not keep the rest from being said.
    for (const said of [this.wanted, callable, named]) if (await this.introduce(said, text)) return;
  }

  /**
   * @param {Record<string, any>} said
   * @param {string} text what is remembered as said
   * @returns {Promise<boolean>} whether there is nothing left to try
   */
  async introduce(said, text) {
    try {
      await this.model.chat.call("visitor.introduce", said);
      localStorage.setItem(this.memory, text);
    } catch (error) {
      if (!(error instanceof Refusal)) return true;
      if (error.code === "disconnected") this.tried = "";
      else console.warn(`kefu: ${error.message}`);
      return error.code !== "bad_request";
    }
    return true;
  }

  get told() {
    try {
      return localStorage.getItem(this.memory);
    } catch {
      return null;
    }
  }
}

/** @type {(value: unknown) => value is Record<string, unknown>} */
function isRecord(value) {
  return typeof value === "object" && value !== null;
}

/**
 * @param {unknown} value
 * @param {number} chars
 * @returns {string} one line
 */
function line(value, chars) {
  if (typeof value !== "string" && typeof value !== "number") return "";
  const text = String(value).replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return [...text.slice(0, chars)].filter((c) => !/^[\ud800-\udfff]$/.test(c)).join("").trim();
}

/** @param {unknown} value @returns {string | number | boolean | null | undefined} */
function plain(value) {
  if (typeof value === "string") return line(value, TEXT_CHARS);
  if (typeof value === "boolean" || value === null) return value;
  const isNumber = typeof value === "number" && Number.isFinite(value);
  return isNumber && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : undefined;
}
