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

  /** @param {Snapshot} snapshot */
  replace(snapshot) {
    const list = this.topics.get(snapshot.topic);
    if (!list) return;
    list.version = snapshot.version;
    list.rows = new Map((snapshot.rows ?? []).map((row) => [row.id, row]));
  }

  /**
   * @param {Event} event
   * @returns {boolean} false: something was missed, watch again
   */
  change(event) {
    const list = this.topics.get(event.topic);
    if (!list || event.version <= list.version) return true;
    if (list.version < 0 || event.version !== list.version + 1) return false;
    list.version = event.version;
    if (event.put) list.rows.set(event.put.id, event.put);
    if (event.drop != null) list.rows.delete(event.drop);
    return true;
  }
}
