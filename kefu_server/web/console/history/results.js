/** @import {Ask, FoundRow, Hit, ListAnswer, Names, SearchAnswer} from "./archive.js" */
/** @import {Place} from "./place.js" */
import { Refused } from "./archive.js";
import { filterParams } from "./place.js";

const PAGE = 30;

/**
 * @typedef {object} Result one line of the list: a conversation, or a message in one
 * @property {string} key
 * @property {import("../desk.js").Row} row
 * @property {number | null} seq
 * @property {number} at
 * @property {string} sender
 * @property {string} snippet
 * @property {[number, number][]} marks
 *
 * @typedef {"idle" | "loading" | "away" | "busy" | "wrong" | "out"} State
 *   away: no answer; busy: come again later; wrong: this cannot be looked for;
 *   out: nobody is logged in any more
 */

/** The list that a place asks for, a page at a time. */
export class Results {
  /**
   * @param {Ask} ask
   * @param {() => void} changed
   * @param {(names: Names) => void} named
   */
  constructor(ask, changed, named) {
    this.ask = ask;
    this.changed = changed;
    this.named = named;
    /** @type {Place | null} */
    this.place = null;
    this.abort = new AbortController();
    /** @type {Result[]} */
    this.all = [];
    /** @type {Set<string>} */
    this.keys = new Set();
    /** @type {string | null} */
    this.next = null;
    this.isComplete = true;
    /** Messages that cannot be found yet. */
    this.behind = 0;
    /** @type {State} */
    this.state = "idle";
  }

  /** @param {Place} place */
  load(place) {
    this.place = place;
    this.abort.abort();
    this.abort = new AbortController();
    this.all = [];
    this.keys.clear();
    this.next = null;
    this.isComplete = true;
    this.behind = 0;
    return this.page(this.abort.signal);
  }

  /** Get the next page, or try again what failed. */
  more() {
    const isMore = this.next !== null || this.state !== "idle";
    return isMore && this.state !== "loading" && this.place ? this.page(this.abort.signal) : Promise.resolve();
  }

  /** @param {AbortSignal} signal */
  async page(signal) {
    const place = /** @type {Place} */ (this.place);
    this.state = "loading";
    this.changed();
    try {
      const isHits = place.text && place.order !== "grouped";
      const answer = await this.ask(isHits ? "search" : "conversations", this.params(place), signal);
      if (signal.aborted) return;
      this.take(isHits ? this.ofHits(answer) : this.ofRows(answer), answer);
      this.state = "idle";
    } catch (error) {
      if (signal.aborted) return;
      this.state = stateOf(error);
    }
    this.changed();
  }

  /** @param {Place} place */
  params(place) {
    const params = filterParams(place);
    params.set("limit", String(PAGE));
    if (this.next !== null) params.set("cursor", this.next);
    if (place.text && place.order === "grouped") params.set("text", place.text);
    else if (place.text) {
      params.set("q", place.text);
      params.set("order", place.order);
    }
    return params;
  }

  /**
   * @param {Result[]} found
   * @param {ListAnswer | SearchAnswer} answer
   */
  take(found, answer) {
    // What moves while one pages may come twice.
    for (const each of found) {
      if (this.keys.has(each.key)) continue;
      this.keys.add(each.key);
      this.all.push(each);
    }
    this.next = answer.next;
    this.isComplete = answer.is_complete;
    if ("behind" in answer) this.behind = answer.behind.messages;
    this.named(answer.names);
  }

  /**
   * @param {SearchAnswer} answer
   * @returns {Result[]}
   */
  ofHits({ hits }) {
    return hits.map(({ conversation: row, seq, at, sender, snippet, marks }) => {
      return { key: `${row.id}.${seq}`, row, seq, at, sender, snippet, marks };
    });
  }

  /**
   * @param {ListAnswer} answer
   * @returns {Result[]}
   */
  ofRows({ conversations }) {
    return conversations.map((row) => {
      const { seq = null, snippet = row.last_line, marks = [] } = row;
      const sender = row.snippet === undefined ? (row.last_sender ?? "") : "";
      return { key: String(row.id), row, seq, at: row.last_at || row.opened_at, sender, snippet, marks };
    });
  }
}

/**
 * @param {unknown} error
 * @returns {State}
 */
export function stateOf(error) {
  if (!(error instanceof Refused)) return "away";
  if (error.code === "unauthorized") return "out";
  if (error.code === "bad_request" || error.code === "not_found") return "wrong";
  return error.code === "internal" ? "away" : "busy";
}
