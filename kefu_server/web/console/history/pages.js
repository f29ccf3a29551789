/** @import {Row} from "../desk.js" */
/** @import {Line} from "../../ui/items.js" */
/** @import {Ask, Message, MessagesAnswer, Names, SearchAnswer} from "./archive.js" */
/** @import {State} from "./results.js" */
import { cut } from "./marks.js";
import { stateOf } from "./results.js";

const PAGE = 50;
const HITS_MAX = 100;

/** One conversation as the reader holds it: a contiguous part of its log. */
export class Pages {
  /**
   * @param {Ask} ask
   * @param {() => void} changed
   * @param {(names: Names) => void} named
   */
  constructor(ask, changed, named) {
    this.ask = ask;
    this.changed = changed;
    this.named = named;
    this.abort = new AbortController();
    /** @type {number | null} */
    this.conversation = null;
    /** @type {Row | null} */
    this.row = null;
    /** @type {Message[]} */
    this.messages = [];
    this.hasOlder = false;
    this.hasNewer = false;
    /** How often something of it was changed here. */
    this.changes = 0;
    /** @type {State} */
    this.state = "idle";
    /** Asks once more for the page that failed. */
    this.again = () => Promise.resolve();
    /** @type {number[]} seqs of what was looked for, ascending */
    this.hits = [];
    this.hasMoreHits = false;
    /** @type {string[]} the words as they stand in the hits */
    this.words = [];
    /** What was looked for last; a slower answer to something else is not taken. */
    this.lookedFor = "";
  }

  /** @param {number | null} conversation */
  change(conversation) {
    this.cut();
    this.conversation = conversation;
    this.row = null;
    this.hits = [];
    this.hasMoreHits = false;
    this.words = [];
    this.lookedFor = "";
  }

  /** Let go of what is shown and of what is on its way. */
  cut() {
    this.abort.abort();
    this.abort = new AbortController();
    this.messages = [];
    this.hasOlder = this.hasNewer = false;
    this.state = "idle";
  }

  /**
   * Show another part, or another conversation.
   * @param {number} conversation
   * @param {{around?: number | null, at?: number | null}} [where] else its end
   */
  async open(conversation, { around = null, at = null } = {}) {
    if (conversation === this.conversation) this.cut();
    else this.change(conversation);
    const params = new URLSearchParams();
    if (around !== null) params.set("around", String(around));
    else if (at !== null) params.set("at", String(at));
    await this.page(params, (answer) => {
      this.messages = answer.messages;
      this.hasOlder = answer.has_older;
      this.hasNewer = answer.has_newer;
    });
    // After the last message there is nothing: its end is what comes nearest.
    if (at !== null && this.state === "idle" && !this.messages.length) await this.open(conversation);
  }

  /** @returns {Promise<void>} */
  async older() {
    const first = this.messages[0];
    if (!this.hasOlder || this.state === "loading" || !first) return;
    await this.page(new URLSearchParams({ before: String(first.seq) }), (answer) => {
      this.messages = [...answer.messages, ...this.messages];
      this.hasOlder = answer.has_older;
    });
  }

  /** @returns {Promise<void>} */
  async newer() {
    const last = this.messages.at(-1);
    if (!this.hasNewer || this.state === "loading" || !last) return;
    await this.page(new URLSearchParams({ after: String(last.seq) }), (answer) => {
      this.messages = [...this.messages, ...answer.messages];
      this.hasNewer = answer.has_newer;
    });
  }

  /** @param {string[]} labels that were stored just now, with a line of the log */
  labelled(labels) {
    if (this.row) this.row.labels = labels;
    this.changes += 1;
    this.hasNewer = true;
    void this.newer();
  }

  /**
   * @param {URLSearchParams} params
   * @param {(answer: MessagesAnswer) => void} take
   * @returns {Promise<void>}
   */
  async page(params, take) {
    const { signal } = this.abort;
    const { changes } = this;
    this.state = "loading";
    this.again = () => this.page(params, take);
    this.changed();
    try {
      params.set("limit", String(PAGE));
      const answer = await this.ask(`conversations/${this.conversation}/messages`, params, signal);
      if (signal.aborted) return;
      // What was read before a change would take it back.
      if (changes !== this.changes) return await this.page(params, take);
      this.row = answer.conversation;
      this.named(answer.names);
      take(answer);
      this.state = "idle";
    } catch (error) {
      if (signal.aborted) return;
      this.state = stateOf(error);
    }
    this.changed();
  }

  /**
   * Find the text in this conversation, so that one can go from hit to hit.
   * @param {string} text
   */
  async find(text) {
    const { conversation } = this;
    this.lookedFor = text;
    const params = new URLSearchParams({ q: text, conversation: String(this.conversation), limit: String(HITS_MAX) });
    try {
      /** @type {SearchAnswer} */
      const answer = await this.ask("search", params);
      if (conversation !== this.conversation || text !== this.lookedFor) return;
      this.hits = answer.hits.map((hit) => hit.seq).sort((a, b) => a - b);
      this.hasMoreHits = answer.next !== null;
      const pieces = answer.hits.flatMap((hit) => cut(hit.snippet, hit.marks));
      this.words = [...new Set(pieces.filter((p) => p.isMark).map((p) => p.text))];
      this.changed();
    } catch {
      // The conversation can be read without.
    }
  }

  /**
   * @param {number} seq where one is
   * @param {1 | -1} step
   * @returns {number | null} the hit after it or before it
   */
  hitFrom(seq, step) {
    const next = step > 0 ? this.hits.find((hit) => hit > seq) : this.hits.filter((hit) => hit < seq).at(-1);
    return next ?? null;
  }

  /** @returns {Line[]} */
  lines() {
    return this.messages.map((message) => ({ ...message, key: `#${message.seq}` }));
  }
}
