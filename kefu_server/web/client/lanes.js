/** @import {ErrorFrame, Send} from "./frames" */
/** @import {Outbox} from "./outbox.js" */

/**
 * @typedef {object} Lane
 * @property {number} next the next unused n
 * @property {number} resumeAt when a broken lane may go on; 0 while it is whole
 * @property {number} rewinds how often it was broken without progress
 */

const REWIND_MIN_MS = 100;
const REWIND_MAX_MS = 5_000;
const REWINDS_MAX = 8;

/**
 * The sender's order on one connection: every conversation is a lane in which sends
 * carry n = 1, 2, 3 …; a temporary failure of n takes the lane back to n.
 */
export class Lanes {
  /** @param {Outbox} outbox */
  constructor(outbox) {
    this.outbox = outbox;
    /** @type {Map<number, Lane>} */
    this.lanes = new Map();
    /** @type {Map<string, number>} */
    this.numbers = new Map();
    /** @type {Set<string>} */
    this.onWire = new Set();
    /** @type {(conversation: number) => number} what is written later waits */
    this.heldFrom = () => Infinity;
  }

  /** A new connection: every n is fresh and nothing is on the wire. */
  restart() {
    this.lanes.clear();
    this.numbers.clear();
    this.onWire.clear();
  }

  /**
   * @param {number} now
   * @param {number} limit how many sends may wait for their answers
   * @returns {Send[]} what to send now, in the sender's order
   */
  take(now, limit) {
    const sends = [];
    for (const entry of this.outbox.pending()) {
      if (this.onWire.size >= limit) break;
      if (entry.conversation === null || this.onWire.has(entry.key)) continue;
      if (entry.at > this.heldFrom(entry.conversation) && !this.numbers.has(entry.key)) continue;
      const lane = this.lane(entry.conversation);
      if (lane.resumeAt > now) continue;
      lane.resumeAt = 0;
      const n = this.numbers.get(entry.key) ?? lane.next++;
      this.numbers.set(entry.key, n);
      this.onWire.add(entry.key);
      const { key, conversation, kind, body, data } = entry;
      sends.push(/** @type {Send} */ ({ t: "send", key, conversation, n, kind, body, ...(data && { data }) }));
    }
    return sends;
  }

  /** @param {string} key an entry that is stored, or failed for good */
  settled(key) {
    this.onWire.delete(key);
    this.numbers.delete(key);
    const entry = this.outbox.get(key);
    if (entry?.conversation) this.lane(entry.conversation).rewinds = 0;
  }

  /**
   * Go back to a send that failed for the moment.
   * @param {ErrorFrame} error
   * @param {number} now
   * @returns {boolean} false when the lane does not get on: reconnect, to count anew
   */
  broken(error, now) {
    const entry = error.key ? this.outbox.get(error.key) : undefined;
    if (!entry?.conversation) return true;
    const lane = this.lane(entry.conversation);
    const failed = this.numbers.get(entry.key) ?? lane.next;
    for (const other of this.outbox.pending()) {
      if (other.conversation !== entry.conversation) continue;
      if ((this.numbers.get(other.key) ?? 0) >= failed) this.onWire.delete(other.key);
    }
    if (lane.resumeAt <= now) lane.rewinds += 1;
    const asked = (error.after_s ?? 0) * 1000;
    const own = Math.min(REWIND_MAX_MS, REWIND_MIN_MS * 2 ** (lane.rewinds - 1));
    lane.resumeAt = Math.max(lane.resumeAt, now + Math.max(asked, own));
    // Only the order can be wrong for ever; a busy server is waited for.
    return error.code !== "out_of_order" || lane.rewinds <= REWINDS_MAX;
  }

  /** @returns {number} when a broken lane goes on, or Infinity */
  deadline() {
    let soonest = Infinity;
    for (const lane of this.lanes.values()) {
      if (lane.resumeAt > 0) soonest = Math.min(soonest, lane.resumeAt);
    }
    return soonest;
  }

  /**
   * @param {number} conversation
   * @returns {Lane}
   */
  lane(conversation) {
    let lane = this.lanes.get(conversation);
    if (!lane) this.lanes.set(conversation, (lane = { next: 1, resumeAt: 0, rewinds: 0 }));
    return lane;
  }
}
