/** @import {Log} from "./logs.js" */
/** @import {Entry} from "./outbox.js" */
/** @import {Head, MessageFrame, Welcome} from "./frames" */

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
