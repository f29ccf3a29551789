/** @import {Head, MessageFrame, Welcome} from "./frames" */
/** @import {Log} from "./logs.js" */
/** @import {TabStorage} from "./tabs.js" */

/**
 * @typedef {object} Entry
 * @property {string} key the client's own id of the message
 * @property {number | null} conversation null: written before there was a conversation
 * @property {string} kind
 * @property {string} body
 * @property {Record<string, any>} [data] what goes with the text
 * @property {number} at when it was written, by this device's clock
 * @property {string} [failure] why it failed for good; absent while it waits
 */

/**
 * Messages that are written and not yet stored by the server, in the order written.
 * They outlive a reload: every change is saved before anything is sent.
 */
export class Outbox {
  /** @param {TabStorage} [storage] */
  constructor(storage) {
    this.storage = storage;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
  }

  /** @returns {Entry[]} what waits, oldest first */
  pending() {
    return [...this.entries.values()].filter((entry) => !entry.failure);
  }

  /**
   * @param {number | null} conversation
   * @returns {Entry[]} what to show below the log: waiting and failed
   */
  of(conversation) {
    return [...this.entries.values()].filter((e) => e.conversation === conversation);
  }

  /** @param {string} key */
  get(key) {
    return this.entries.get(key);
  }

  /** @param {Entry} entry */
  add(entry) {
    this.entries.set(entry.key, entry);
    this.save();
  }

  /**
   * Take over what a closed page left behind; a known key is not taken twice.
   * @param {Entry[]} entries
   */
  adopt(entries) {
    for (const entry of entries) {
      if (!this.entries.has(entry.key)) this.entries.set(entry.key, entry);
    }
    this.save();
  }

  /**
   * The server has it.
   * @param {string} key
   * @returns {boolean} whether it was one of ours
   */
  stored(key) {
    const known = this.entries.delete(key);
    if (known) this.save();
    return known;
  }

  /**
   * It failed for good; it stays visible until the person decides.
   * @param {string} key
   * @param {string} failure
   */
  failed(key, failure) {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.set(key, { ...entry, failure });
    this.save();
  }

  /**
   * The conversation of messages that were written before there was one.
   * @param {number} conversation
   */
  assign(conversation) {
    for (const [key, entry] of this.entries) {
      if (entry.conversation === null) this.entries.set(key, { ...entry, conversation });
    }
    this.save();
  }

  /**
   * Send a failed message again, as a new one at the end.
   * @param {string} key
   * @param {string} newKey
   * @param {number} now
   */
  retry(key, newKey, now) {
    const entry = this.entries.get(key);
    if (!entry?.failure) return;
    this.entries.delete(key);
    const { failure: _, ...rest } = entry;
    this.add({ ...rest, key: newKey, at: now });
  }

  /** @param {string} key */
  discard(key) {
    if (this.entries.delete(key)) this.save();
  }

  save() {
    this.storage?.write([...this.entries.values()]);
  }
}

/**
 * What this page has shown as sent, in a history that was replaced by a copy of it: what
 * the copy lacks is not sent. Both have the same messages up to some seq, so a message
 * beyond the copy's end is missing, and so is one whose place another one has.
 */
export class Lost {
  /** @param {(entry: Entry) => void} missing is given what was never sent, as it seems now */
  constructor(missing) {
    this.missing = missing;
    /** @type {Map<number, Map<number, Entry>>} own messages by seq, by conversation */
    this.all = new Map();
  }

  /** @param {Iterable<Log>} logs as they were */
  keep(logs) {
    for (const { conversation, messages, echoes } of logs) {
      const own = [...messages.filter(({ key }) => key), ...echoes.values()];
      for (const { key = "", seq, kind = "text", body = "", data, at } of own) {
        if (kind !== "text" && kind !== "note") continue;
        const held = this.all.get(conversation) ?? new Map();
        this.all.set(conversation, held.set(seq, { key, conversation, kind, body, ...(data && { data }), at, failure: "lost" }));
      }
    }
  }

  /** @param {Welcome} welcome what a visitor is not told of any more is gone as a whole */
  welcomed({ me, heads = {} }) {
    for (const [conversation, held] of me.id.startsWith("v") ? this.all : []) {
      if (String(conversation) in heads) continue;
      for (const entry of held.values()) this.missing({ ...entry, conversation: null });
      this.all.delete(conversation);
    }
  }

  /** @param {Head} head how far a log reaches */
  reaches({ conversation, last_seq }) {
    const held = this.all.get(conversation);
    for (const [seq, entry] of held ?? []) {
      if (seq <= last_seq) continue;
      held?.delete(seq);
      this.missing(entry);
    }
  }

  /** @param {MessageFrame} message of the history that there is now */
  arrived({ conversation, seq, key }) {
    const held = this.all.get(conversation);
    const entry = held?.get(seq);
    if (!entry) return;
    held?.delete(seq);
    if (entry.key !== key) this.missing(entry);
  }
}
