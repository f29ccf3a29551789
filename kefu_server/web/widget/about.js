/** @import {Model} from "./model.js" */
/** @import {VisitorToken} from "./visitor.js" */
import { Refusal } from "../client/chat.js";
import { store, stored } from "./visitor.js";

/** The server takes no more; what a page says too much is cut, not refused. */
const ATTRIBUTES_MAX = 20;
const NAME_CHARS = 40;
const TEXT_CHARS = 200;
const AGAIN_MS = 5_000;
/** A token that is being asked for somewhere is waited for so long before it is forgotten. */
const ASKED_MS = 3_000;
const FACTS = /** @type {const} */ ({ name: 100, email: 254, phone: 40 });

/**
 * What the page says of its visitor: told to the server once there is a conversation, or
 * shown to it for a token where the site has signed it.
 */
export class About {
  /**
   * @param {Model} model
   * @param {VisitorToken} visitor
   */
  constructor(model, visitor) {
    this.model = model;
    this.visitor = visitor;
    this.memory = `kefu.told.${visitor.site}`;
    this.reset = `kefu.reset.${visitor.site}`;
    this.signed = "";
    this.isDue = false;
    /** @type {Record<string, any>} */
    this.wanted = {};
    this.tried = "";
  }

  /** @param {Record<string, any>} said by the page, which may say anything */
  take({ attributes, identity, isNew, at }) {
    if (isNew === true) return void this.forget(at);
    // The page has said it before somebody logged out, in another tab maybe.
    if (at < Number(stored(this.reset))) return;
    const { token, id, hash } = isRecord(identity) ? identity : /** @type {Record<string, unknown>} */ ({});
    const signed = token ? JSON.stringify({ token: String(token) }) : hash ? JSON.stringify({ id, hash: String(hash) }) : "";
    if (signed && signed !== this.signed) this.isDue = true;
    this.signed = signed;
    const facts = isRecord(identity) ? Object.entries(FACTS).map(([name, chars]) => [name, line(identity[name], chars)]) : [];
    const all = isRecord(attributes) ? Object.entries(attributes).map(([name, value]) => [line(name, NAME_CHARS), plain(value)]) : [];
    const kept = all.filter(([name, value]) => name && value !== undefined).slice(-ATTRIBUTES_MAX);
    this.wanted = { ...Object.fromEntries(facts.filter(([, text]) => text)), attributes: Object.fromEntries(kept) };
    void this.tell();
  }

  /** Say it if it is not said yet. What is refused is not said again before it changes. */
  async tell() {
    // What waits is sent as who wrote it, before this becomes somebody else.
    const isWaiting = this.model.chat.isLive && this.model.chat.outbox.pending().length > 0;
    if (this.isDue && !isWaiting) void this.identify();
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

  /** Become whom the site has signed: here, or from the start if that is another. */
  async identify() {
    const { visitor } = this;
    const { connection } = this.model.chat;
    this.isDue = false;
    visitor.identity = JSON.parse(this.signed);
    try {
      await visitor.get(true);
    } catch (error) {
      const isFinal = /** @type {{final?: boolean}} */ (error).final;
      if (!isFinal) setTimeout(() => ((this.isDue = true), void this.tell()), AGAIN_MS);
      return;
    }
    if (visitor.hasChanged) location.reload();
    else if (connection.status === "stopped") connection.retry(0, 0);
  }

  /** Somebody else is there from now on: nothing of the one before is kept. @param {unknown} at when it was said */
  async forget(at) {
    store(this.reset, String(Number(at) || 0));
    const { chat: { outbox }, word } = this.model;
    this.visitor.isForgotten = true;
    for (const key of [...outbox.entries.keys()]) outbox.discard(key);
    const clear = async () => {
      try {
        for (const name of [this.visitor.name, this.memory, word, `${word}.language`]) localStorage.removeItem(name);
      } catch {
        // Without storage nothing was kept.
      }
    };
    void clear();
    // Another frame may be asking for a token just now, and would keep it.
    await Promise.race([this.visitor.alone(clear), new Promise((done) => setTimeout(done, ASKED_MS))]);
    location.reload();
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
