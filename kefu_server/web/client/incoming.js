/** @import {MessageFrame} from "./frames" */

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

/**
 * @typedef {object} Rules what the server says of a site that translates
 * @property {string} language what its own words are in
 * @property {string[]} [agents] what its agents write; older servers do not say it
 * @property {string} [chosen] what the visitor reads, if it has said so
 * @property {number} holds_s so long a message waits for its translation
 */

/**
 * Whether a translation of somebody's words is likely, of whom nothing is known yet.
 * @param {string} sender
 * @param {Rules | null | undefined} rules
 * @returns {boolean}
 */
function isLikely(sender, rules) {
  const reads = rules?.chosen || navigator.language;
  const own = [rules?.language ?? ""];
  // Which agent writes what, no visitor is told beforehand.
  const tags = sender.startsWith("a") ? rules?.agents ?? own : own;
  return tags.some((tag) => !areSame(tag, reads));
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
    /** @type {Map<number, string>} who wrote a text of the other side, by seq */
    this.writers = new Map();
    /** @type {Map<string, boolean>} whether a writer's last text came with a translation; of "" whether any came */
    this.seen = new Map();
    /** @type {Map<boolean, boolean>} whether translations are switched off, by whether the visitor did it */
    this.isOff = new Map();
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
   * @param {Rules | null | undefined} rules
   * @param {object} more
   * @param {number} more.now by the server's clock
   * @param {boolean} more.isNews nobody has heard it yet
   */
  take(message, rules, { now, isNews }) {
    const { kind, seq, ref, sender, body = "" } = message;
    const isMine = this.parts.isMine(sender);
    // It says in which language other agents read it: nobody here waits for that.
    if (kind === "translation" && message.data?.for === "agents") return;
    if (kind === "recall") this.unheard = this.unheard.filter((each) => each.seq !== ref);
    if (kind === "translation" && body) this.seen.set(this.writers.get(ref ?? 0) ?? "", true);
    if (kind === "translating") this.isOff.set(isMine, message.data?.is_on === false);
    if (kind === "translation" || kind === "recall") this.release(ref ?? 0);
    if (isMine) return;
    if (kind === "text" || kind === "edit") {
      this.writers.set(seq, sender);
      const ms = (rules?.holds_s ?? 0) * 1000;
      if (this.isWorth(sender, rules) && isHeld(message, ms, now)) this.timers.set(seq, setTimeout(() => this.late(seq), ms));
    }
    if (isNews && (kind === "text" || kind === "file")) this.unheard.push(message);
    this.hear();
  }

  /** @param {string} sender @param {Rules | null | undefined} rules @returns {boolean} a translation probably comes */
  isWorth(sender, rules) {
    if ([...this.isOff.values()].includes(true)) return false;
    return this.seen.get(sender) ?? (this.seen.get("") || isLikely(sender, rules));
  }

  /** @param {number} seq */
  late(seq) {
    // The next one of its writer does not wait for what did not come.
    this.seen.set(this.writers.get(seq) ?? "", false);
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
    for (const each of [this.timers, this.writers, this.seen, this.isOff]) each.clear();
    this.unheard = [];
  }
}
