/** @import {Desk, Row} from "../desk.js" */
/** @import {Line} from "../../ui/items.js" */
import { areSame } from "../../client/incoming.js";
import { languageOf } from "./reads.js";

const TEXTS = new Set(["text", "edit"]);

/**
 * Whether the log of a conversation may lack what an agent reads: it has the language of
 * whoever has the conversation, and of the site while nobody has it.
 * @param {Desk} desk
 * @param {Row} row
 * @returns {boolean}
 */
export function isOnlooker(desk, { assignee, is_translated, site_id, status }) {
  const ours = desk.directory.within.get(site_id)?.agents_language;
  if (!ours || is_translated === false || status === "closed" || assignee === desk.me.id) return false;
  const theirs = (assignee && desk.agents.get(Number(assignee.slice(1)))?.language) || ours;
  return !areSame(languageOf(desk) || ours, theirs);
}

/** What an agent who only looks on reads in its own language: nobody else has it, no log keeps it. */
export class Glance {
  /** @param {Desk} desk @param {() => void} changed */
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
    /** Whose texts for whom. */
    this.mark = "";
    /** The newest text that was asked for. */
    this.asked = 0;
    this.isAsking = false;
    /** @type {Line[]} as if they stood in the log */
    this.found = [];
  }

  /**
   * @param {Row | undefined} row
   * @param {Line[]} lines its log, as far as it is here
   * @returns {Line[]} the same, and what was asked for
   */
  with(row, lines) {
    const { desk } = this;
    if (!row) return lines;
    const mark = `${row.id} ${languageOf(desk)}`;
    if (mark !== this.mark) Object.assign(this, { mark, asked: 0, isAsking: false, found: [] });
    const newest = lines.filter(({ kind, seq }) => seq && TEXTS.has(kind)).at(-1)?.seq ?? 0;
    if (newest > this.asked && !this.isAsking && desk.chat.isLive && isOnlooker(desk, row)) void this.ask(row.id, newest);
    return this.found.length ? [...lines, ...this.found] : lines;
  }

  /** @param {number} conversation @param {number} newest */
  async ask(conversation, newest) {
    const { mark } = this;
    this.isAsking = true;
    // What fails is asked for again with the next text.
    this.asked = newest;
    const told = await this.desk.chat.call("conversation.read", { conversation }).catch(() => ({ texts: [] }));
    // Another conversation was opened meanwhile.
    if (mark !== this.mark) return;
    this.isAsking = false;
    for (const { ref, text, source, target, by } of told.texts) {
      const data = { from: source, to: target, by, for: "agents" };
      this.found.push({ key: `glance ${ref}`, sender: "s0", kind: "translation", body: text, at: 0, ref, data });
    }
    this.changed();
  }
}
