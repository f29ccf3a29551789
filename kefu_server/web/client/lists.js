/** @import {Event, Snapshot} from "./frames" */

/**
 * @typedef {object} WatchedList
 * @property {number} version 0 until the snapshot came
 * @property {Map<number, Record<string, any>>} rows
 */

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
