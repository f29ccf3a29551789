/** @import {Event, MessageFrame, Page, Receipt, Snapshot, TypingEvent} from "./frames" */
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
 *
 * @typedef {object} WatchedList
 * @property {number} version 0 until the snapshot came
 * @property {Map<number, Record<string, any>>} rows
 */

const TYPING_MS = 6_000;

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

/** Watched lists: a snapshot, then changes; a hole in the versions asks anew. */
export class Lists {
  constructor() {
    /** @type {Map<string, WatchedList>} */
    this.topics = new Map();
  }

  /** @param {string} topic */
  watch(topic) {
    if (!this.topics.has(topic)) this.topics.set(topic, { version: -1, rows: new Map() });
  }

  /**
   * @param {string} topic
   * @returns {Map<number, Record<string, any>>}
   */
  rows(topic) {
    return this.topics.get(topic)?.rows ?? new Map();
  }

  /**
   * @param {Snapshot | Event} frame
   * @returns {boolean} false: something was missed, watch again
   */
  take(frame) {
    const list = this.topics.get(frame.topic);
    if (!list) return true;
    if (frame.t === "snapshot") {
      list.version = frame.version;
      list.rows = new Map((frame.rows ?? []).map((row) => [row.id, row]));
      return true;
    }
    // What came before the snapshot is in it.
    if (frame.version <= list.version) return true;
    if (list.version < 0 || frame.version !== list.version + 1) return false;
    list.version = frame.version;
    if (frame.put) list.rows.set(frame.put.id, frame.put);
    if (frame.drop != null) list.rows.delete(frame.drop);
    return true;
  }
}

/**
 * Watch a list no longer.
 * @param {import("./session.js").Session} session
 * @param {string} topic
 */
export function unwatch(session, topic) {
  if (session.lists.topics.delete(topic) && session.state === "live") session.frames.push({ t: "unwatch", topic });
}
