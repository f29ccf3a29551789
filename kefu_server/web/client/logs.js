/** @import {MessageFrame, Page, Receipt, TypingEvent} from "./frames" */
/** @import {Entry} from "./outbox.js" */

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

/** The logs of the followed conversations. */
export class Logs {
  constructor() {
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

  /** @param {MessageFrame} message the next one of its log */
  append(message) {
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
    if (known) log.messages[at] = { ...known, kind: "erased", body: "", data: { was: known.kind } };
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
