/** @import {Ack, ErrorFrame, Follow, MessageFrame, Read} from "./frames" */

/**
 * @typedef {object} Reader what this client holds of one followed conversation
 * @property {number} cursor last seq held, without a hole from where following began
 * @property {number} acked last seq acknowledged on this connection
 * @property {number} read last seq shown to a person
 * @property {number} told last seq told as read on this connection
 * @property {number} head highest seq known to exist
 */

const FOLD_MS = 150;
const HOLE_MS = 3_000;

/** Cursors of the followed conversations, and their folded acknowledgements. */
export class Readers {
  constructor() {
    /** @type {Map<number, Reader>} */
    this.all = new Map();
    this.tellAt = Infinity;
    this.holeAt = Infinity;
    /** @type {Set<number>} conversations whose `follow` was refused for now */
    this.unfollowed = new Set();
  }

  /**
   * @param {number} conversation
   * @param {number} after
   * @param {number} head
   */
  follow(conversation, after, head) {
    this.all.set(conversation, { cursor: after, acked: 0, read: 0, told: 0, head });
  }

  /** A new connection: everything is told once more, what was told may be lost. */
  restart() {
    for (const reader of this.all.values()) reader.acked = reader.told = 0;
    this.unfollowed.clear();
    this.tellAt = this.all.size ? 0 : Infinity;
  }

  /**
   * @param {MessageFrame} message
   * @param {number} now
   * @returns {boolean} whether it is exactly the next and is to be shown
   */
  take(message, now) {
    const reader = this.all.get(message.conversation);
    if (!reader || message.seq <= reader.cursor) return false;
    this.hint(message.conversation, message.seq, now);
    if (message.seq !== reader.cursor + 1) {
      // Nothing may be shown over a hole: ask for the rest at once.
      this.holeAt = now;
      return false;
    }
    reader.cursor = message.seq;
    this.tellAt = Math.min(this.tellAt, now + FOLD_MS);
    if (reader.cursor >= reader.head && !this.behind().length) this.holeAt = Infinity;
    return true;
  }

  /**
   * There are messages up to `head`; if they do not come, they are asked for.
   * @param {number} conversation
   * @param {number} head
   * @param {number} now
   */
  hint(conversation, head, now) {
    const reader = this.all.get(conversation);
    if (!reader || head <= reader.head) return;
    reader.head = head;
    this.holeAt = Math.min(this.holeAt, now + HOLE_MS);
  }

  /**
   * @param {number} conversation
   * @param {number} seq
   * @param {number} now
   */
  shown(conversation, seq, now) {
    const reader = this.all.get(conversation);
    if (!reader || seq <= reader.read) return;
    reader.read = Math.min(seq, reader.cursor);
    this.tellAt = Math.min(this.tellAt, now + FOLD_MS);
  }

  /**
   * A `follow` that was refused for now is said again.
   * @param {ErrorFrame} error
   * @param {number} now
   */
  refused({ frame, conversation, retry = "none", after_s }, now) {
    if (frame !== "follow" || retry === "none" || !this.all.has(conversation ?? 0)) return;
    this.unfollowed.add(conversation ?? 0);
    this.holeAt = Math.min(this.holeAt, now + (after_s || 0.5) * 1000);
  }

  /** @param {ErrorFrame} error @returns {number} the seq that a refused `follow` was to bring next */
  next({ conversation }) {
    return (this.all.get(conversation ?? 0)?.cursor ?? -1) + 1;
  }

  /** @returns {[number, Reader][]} */
  behind() {
    return [...this.all].filter(
      ([id, reader]) => reader.cursor < reader.head || this.unfollowed.has(id),
    );
  }

  /**
   * @param {number} now
   * @returns {(Ack | Read | Follow)[]} what is due
   */
  tick(now) {
    /** @type {(Ack | Read | Follow)[]} */
    const frames = [];
    if (this.tellAt <= now) {
      this.tellAt = Infinity;
      for (const [conversation, reader] of this.all) {
        if (reader.cursor > reader.acked) {
          reader.acked = reader.cursor;
          frames.push({ t: "ack", conversation, seq: reader.cursor });
        }
        if (reader.read > reader.told) {
          reader.told = reader.read;
          frames.push({ t: "read", conversation, seq: reader.read });
        }
      }
    }
    if (this.holeAt <= now) {
      const behind = this.behind();
      this.holeAt = behind.length ? now + HOLE_MS : Infinity;
      for (const [conversation, reader] of behind) {
        frames.push({ t: "follow", conversation, after: reader.cursor });
      }
      this.unfollowed.clear();
    }
    return frames;
  }

  /** @returns {Record<string, number>} what a hello says */
  cursors() {
    return Object.fromEntries([...this.all].map(([id, reader]) => [id, reader.cursor]));
  }

  deadline() {
    return Math.min(this.tellAt, this.holeAt);
  }
}
