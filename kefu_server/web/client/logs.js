/** @import {MessageFrame, Page, Receipt, TypingEvent} from "./frames" */
/** @import {Entry} from "./outbox.js" */
import { Lost } from "./outbox.js";

/**
 * @typedef {object} Log one conversation as this page holds it
 * @property {number} conversation
 * @property {MessageFrame[]} messages ascending, without holes
 * @property {number} first seq of the first message held; 0 before any
 * @property {boolean} isPaging older ones are on their way
 * @property {Map<string, Entry & {seq: number}>} echoes stored, not yet in `messages`
 * @property {Map<string, Receipt>} receipts
 * @property {Map<string, {text: string, until: number}>} typing
 */

const TYPING_MS = 6_000;

/**
 * Whether a message waits for its translation before it is shown. Nothing is held that
 * was written longer ago than that, or has nothing to translate.
 * @param {{at: number, body?: string}} message
 * @param {number} ms so long messages wait
 * @param {number} now by the clock that `at` is of
 */
export function isHeld({ at, body = "" }, ms, now) {
  // As the server sees it: links, addresses, numbers and signs are the same everywhere.
  const words = body.split(/\s+/).filter((word) => !/:\/\/|www\.|@|`/i.test(word));
  const plain = words.map((word) => (/\d/.test(word) ? word.replace(/[!-~]/g, "") : word));
  return now - at < ms && /\p{L}/u.test(plain.join(" "));
}

/**
 * @param {string} one
 * @param {string} other
 * @returns {boolean} who reads the one reads the other
 */
export function areSame(one, other) {
  try {
    const [a, b] = [one, other].map((tag) => new Intl.Locale(tag).maximize());
    return a.language === b.language && a.script === b.script;
  } catch {
    return false;
  }
}

/** What comes in from the other side: it is shown and said at once, or when its translation is there. */
export class Incoming {
  /**
   * @param {object} parts
   * @param {(sender: string) => boolean} parts.isMine
   * @param {(text: string, sender: string) => void} parts.heard
   * @param {() => void} parts.changed something is shown that was not
   */
  constructor({ isMine, heard, changed }) {
    this.parts = { isMine, heard, changed };
    /** @type {Map<number, any>} timers of messages that are held, by seq */
    this.timers = new Map();
    /** @type {MessageFrame[]} what is to be said once it is shown */
    this.unheard = [];
    /** @type {boolean | undefined} whether a translation comes at all, as far as it is known */
    this.isWorth = undefined;
  }

  /** @returns {number} from this seq on nothing of the other side is shown: its order stays */
  get from() {
    return Math.min(Infinity, ...this.timers.keys());
  }

  /** @param {{seq: number, kind?: string, sender: string}} message */
  isShown({ seq, kind, sender }) {
    return seq < this.from || kind === "translation" || this.parts.isMine(sender);
  }

  /**
   * @param {MessageFrame} message the next one of the log
   * @param {{language: string, chosen?: string, holds_s: number} | null | undefined} rules
   * @param {object} more
   * @param {number} more.now by the server's clock
   * @param {boolean} more.isNews nobody has heard it yet
   */
  take(message, rules, { now, isNews }) {
    const { kind, seq, ref, body = "" } = message;
    // It says in which language other agents read it: nobody here waits for that.
    if (kind === "translation" && message.data?.for === "agents") return;
    if (kind === "recall") this.unheard = this.unheard.filter((each) => each.seq !== ref);
    if (kind === "translation" && body) this.isWorth = true;
    if (kind === "translating") this.isWorth = message.data?.is_on === false ? false : undefined;
    if (kind === "translation" || kind === "recall") this.release(ref ?? 0);
    if (this.parts.isMine(message.sender)) return;
    const ms = (rules?.holds_s ?? 0) * 1000;
    const isText = kind === "text" || kind === "edit";
    const isWorth = this.isWorth ?? !areSame(rules?.language ?? "", rules?.chosen || navigator.language);
    if (isText && isWorth && isHeld(message, ms, now)) this.timers.set(seq, setTimeout(() => this.late(seq), ms));
    if (isNews && (kind === "text" || kind === "file")) this.unheard.push(message);
    this.hear();
  }

  /** @param {number} seq */
  late(seq) {
    // The next one does not wait for what did not come.
    this.isWorth = false;
    this.release(seq);
  }

  /** @param {number} seq its translation is there, or will not come, or it was taken back */
  release(seq) {
    clearTimeout(this.timers.get(seq));
    if (!this.timers.delete(seq)) return;
    this.hear();
    this.parts.changed();
  }

  hear() {
    while (this.unheard.length && this.isShown(this.unheard[0])) {
      const { body = "", sender } = /** @type {MessageFrame} */ (this.unheard.shift());
      this.parts.heard(body, sender);
    }
  }

  /** Another conversation begins. */
  clear() {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.unheard = [];
    this.isWorth = undefined;
  }
}

/** The logs of the followed conversations. */
export class Logs {
  /** @param {(entry: Entry) => void} [missing] is given what was sent into a history that is gone */
  constructor(missing = () => {}) {
    this.lost = new Lost(missing);
    /** @type {Map<number, Log>} */
    this.all = new Map();
  }

  /**
   * @param {number} conversation
   * @returns {Log}
   */
  of(conversation) {
    let log = this.all.get(conversation);
    if (!log) {
      const fresh = { messages: [], first: 0, isPaging: false };
      const maps = { echoes: new Map(), receipts: new Map(), typing: new Map() };
      log = { conversation, ...fresh, ...maps };
      this.all.set(conversation, log);
    }
    return log;
  }

  /** The history was replaced. */
  reset() {
    this.lost.keep(this.all.values());
    this.all.clear();
  }

  /** @param {MessageFrame} message the next one of its log */
  append(message) {
    this.lost.arrived(message);
    const log = this.of(message.conversation);
    if (!log.messages.length) log.first = message.seq;
    if (message.kind === "recall") this.recall(log, message);
    log.messages.push(message);
    log.typing.delete(message.sender);
    if (message.key) log.echoes.delete(message.key);
  }

  /**
   * Take out of sight what its sender has taken back; the server has it no more.
   * @param {Log} log
   * @param {MessageFrame} message
   */
  recall(log, { ref, sender }) {
    const at = log.messages.findIndex((each) => each.seq === ref && each.sender === sender);
    const known = log.messages[at];
    if (!known) return;
    const edits = log.messages.filter((each) => each.ref === ref && ["edit", "note_edit"].includes(each.kind ?? ""));
    for (const each of [known, ...edits]) {
      log.messages[log.messages.indexOf(each)] = { ...each, kind: "erased", body: "", data: { was: each.kind } };
    }
  }

  /**
   * Put a page of history above what is held.
   * @param {Page} page
   */
  prepend(page) {
    const log = this.of(page.conversation);
    const older = (page.messages ?? []).filter((m) => !log.first || m.seq < log.first);
    const { conversation } = page;
    const frames = older.map((m) => ({ t: /** @type {"message"} */ ("message"), conversation, ...m }));
    log.messages.unshift(...frames);
    if (log.messages.length) log.first = log.messages[0].seq;
  }

  /**
   * Where the server will not go on, because a message is missing there, that is shown.
   * @param {number} conversation
   * @param {any} refusal
   * @param {number} seq of what is missing
   */
  refused(conversation, { code }, seq) {
    if (code !== "damaged" || seq < 1) return;
    const log = this.of(conversation);
    const { messages } = log;
    if (messages.some((each) => each.seq === seq)) return;
    const at = (seq < log.first ? messages[0] : messages.at(-1))?.at ?? Date.now();
    const line = { t: /** @type {const} */ ("message"), conversation, seq, sender: "s0", kind: /** @type {const} */ ("placeholder"), at, data: { damaged: true } };
    if (seq < log.first) messages.unshift(line);
    else messages.push(line);
    log.first = messages[0].seq;
  }

  /** @param {Receipt} receipt the latest wins, never backwards */
  receipt(receipt) {
    const receipts = this.of(receipt.conversation).receipts;
    const known = receipts.get(receipt.who);
    const delivered = Math.max(known?.delivered ?? 0, receipt.delivered ?? 0);
    const read = Math.max(known?.read ?? 0, receipt.read ?? 0);
    receipts.set(receipt.who, { ...receipt, delivered, read });
  }

  /**
   * @param {TypingEvent} event
   * @param {number} now
   */
  typing(event, now) {
    const typing = this.of(event.conversation).typing;
    if (event.is_typing === false) typing.delete(event.who);
    else typing.set(event.who, { text: event.text ?? "", until: now + TYPING_MS });
  }

  /**
   * Forget who stopped typing without saying so.
   * @param {number} now
   * @returns {boolean} whether somebody did
   */
  expire(now) {
    let changed = false;
    for (const log of this.all.values()) {
      for (const [who, { until }] of log.typing) {
        if (until <= now) changed = log.typing.delete(who) || changed;
      }
    }
    return changed;
  }
}
