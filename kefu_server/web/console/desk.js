/** @import {ChatEvent} from "../client/chat.js" */
/** @import {Choice} from "../client/transports.js" */
/** @import {Line} from "../ui/items.js" */
/** @import {Me} from "./api.js" */
/** @import {Colleague} from "./routing/colleagues.js" */
import { Chat } from "../client/chat.js";
import { transportsOf } from "../client/transports.js";
import { t } from "../ui/i18n.js";
import { Directory } from "./directory.js";
import { visitorName } from "./people.js";
import { Replies } from "./replies.js";

/**
 * @typedef {object} Row a conversation as the list shows it
 * @property {number} id
 * @property {number} site_id
 * @property {string} visitor
 * @property {string} [visitor_name]
 * @property {"queued" | "active" | "closed"} status
 * @property {string | null} [assignee]
 * @property {number} last_seq
 * @property {number} last_at
 * @property {string | null} [last_sender]
 * @property {string} last_line
 * @property {number | null} [waiting_since]
 * @property {number} opened_at
 * @property {string[]} labels
 * @property {number} [team_id] the team it waits for
 * @property {number} [queued_at] since when it stands in the queue
 * @property {number} [unread]
 * @property {boolean} [is_translated] false: agents have switched translations off
 * @property {boolean} [visitor_reads_translations] false: the visitor has
 *
 * @typedef {"mine" | "queue" | "all"} Tab
 */

const TOPIC = "conversations";
const LEFT = "offline";
const AGENTS = "agents";
const PROFILES = "profiles";
const VISITORS = "visitors";
const FOLLOWED_MINE = 40;
const FOLLOWED_MAX = 100;

/** What an agent's console knows, without a screen. */
export class Desk {
  /**
   * @param {object} parts
   * @param {Me} parts.me
   * @param {Choice} parts.transport
   * @param {() => void} parts.changed
   * @param {(row: number, text: string, sender: string) => void} parts.heard
   * @param {(row: number, text: string) => void} parts.returned a reply was not sent
   */
  constructor({ me, transport, changed, heard, returned }) {
    this.me = me;
    this.changed = changed;
    this.heard = heard;
    this.replies = new Replies(this, returned);
    this.chat = new Chat({
      client: "kefu-console/1",
      scope: `a.${me.id}`,
      transport,
      // The cookie says who this is; nothing readable is needed.
      token: async () => "",
      happened: (event) => this.happened(event),
    });
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    /** @type {Map<number, import("./writing.js").Draft>} what is written and not sent */
    this.drafts = new Map();
    this.hasList = false;
    /** @type {number | null} */
    this.shown = null;
    this.wasLive = false;
    this.lostAt = Date.now();
    this.directory = new Directory(this.chat, me, changed);
    /** @type {Map<number, number>} */
    this.readTo = new Map();
    /** @type {Map<number, any>} left messages that nobody has looked after */
    this.left = new Map();
    /** @type {Map<number, Colleague>} who is there, and how much each has to do */
    this.agents = new Map();
    /** @type {Map<number, any>} visitors who were changed lately, and how often */
    this.profiles = new Map();
    /** @type {Set<import("./visitors/watching.js").Onlooker>} who draws those that are on the sites */
    this.onlookers = new Set();
    /** @type {(conversation: number) => void} shows it in the chat */
    this.show = () => {};
    this.chat.session.watch(TOPIC);
    this.chat.session.watch(LEFT);
    this.chat.session.watch(AGENTS);
    this.chat.session.watch(PROFILES);
  }

  /** @returns {Choice} the transport in use, or tried next */
  get transport() {
    return /** @type {Choice} */ (this.chat.connection.transports.current);
  }

  /**
   * Go on over another transport.
   * @param {Choice} choice
   */
  use(choice) {
    const { connection } = this.chat;
    connection.transports.rest();
    connection.transports = transportsOf(choice, location.origin);
    if (connection.status !== "stopped") connection.retry(0, 0);
  }

  /** @param {ChatEvent} event */
  happened(event) {
    if (event.type === "list" && event.topic === LEFT) this.left = event.rows;
    else if (event.type === "list" && event.topic === AGENTS) this.agents = /** @type {Map<number, any>} */ (event.rows);
    else if (event.type === "list" && event.topic === PROFILES) this.profiles = event.rows;
    else if (event.type === "list" && event.topic === TOPIC) this.listed(event.rows);
    // A crowd changes all the time: the chat is not drawn for those whom it does not show.
    else if (event.type === "list" && event.topic === VISITORS && ![...this.onlookers].some((matters) => matters(event.rows))) return;
    else if (event.type === "message" && event.frame.sender.startsWith("v")) {
      this.heard(event.frame.conversation, event.frame.body ?? "", event.frame.sender);
    } else if (event.type === "status" && event.status !== "live") {
      if (this.wasLive) this.lostAt = Date.now();
      this.wasLive = false;
    } else if (event.type === "live") {
      this.wasLive = true;
      this.directory.learn();
    }
    this.changed();
  }

  /** @param {Map<number, any>} rows */
  listed(rows) {
    this.rows = rows;
    this.hasList = true;
    // My own conversations are kept at hand: their ticks are true and opening is instant.
    const mine = this.list("mine").slice(0, FOLLOWED_MINE);
    for (const row of mine) this.chat.follow(row.id, row.last_seq);
    // After the history was replaced, nothing is followed any more.
    if (this.shown !== null) this.open(this.shown);
    for (const row of rows.values()) if (row.assignee) void this.directory.ask(row.assignee);
  }

  /**
   * @param {Tab} tab
   * @returns {Row[]} in the order to show
   */
  list(tab) {
    const all = [...this.rows.values()];
    const newest = (/** @type {Row} */ a, /** @type {Row} */ b) => b.last_at - a.last_at;
    if (tab === "all") return all.sort(newest);
    if (tab === "queue") {
      const since = (/** @type {Row} */ row) => row.queued_at || (row.waiting_since ?? row.opened_at);
      return all.filter((r) => r.status === "queued").sort((a, b) => since(a) - since(b));
    }
    return all.filter((r) => r.status === "active" && r.assignee === this.me.id).sort(newest);
  }

  /**
   * @param {Row} row
   * @returns {number} messages of the visitor that nobody has looked at
   */
  unread(row) {
    const read = this.readTo.get(row.id) ?? 0;
    if (read >= row.last_seq || row.status === "closed") return 0;
    const log = this.chat.logs.all.get(row.id);
    const theirs = log?.messages.filter((m) => m.seq > read && m.sender === row.visitor).length;
    return read && theirs !== undefined ? theirs : (row.unread ?? 0);
  }

  /** @returns {number} what the page's title counts */
  unreadInAll() {
    const rows = [...this.list("mine"), ...this.list("queue")];
    return rows.reduce((sum, row) => sum + this.unread(row), 0);
  }

  /** @param {number | null} conversation @param {"recall_within_s" | "edit_within_s"} what @returns {number} so long one's own messages may be changed */
  withinMs(conversation, what) {
    const row = conversation === null ? undefined : this.rows.get(conversation);
    return ((row && this.directory.within.get(row.site_id)?.[what]) ?? 0) * 1000;
  }

  /** @param {string} id */
  nameOf(id) {
    if (id === this.me.id) return t("you");
    if (id === "s0") return t("automatic");
    const row = id.startsWith("v") ? [...this.rows.values()].find((r) => r.visitor === id) : null;
    if (row) return visitorName(row);
    return this.directory.nameOf(id);
  }

  /** @param {number} conversation */
  open(conversation) {
    this.shown = conversation;
    this.chat.follow(conversation, this.rows.get(conversation)?.last_seq ?? 0);
    const mine = new Set(this.list("mine").map((row) => row.id));
    const { readers } = this.chat.session;
    for (const id of [...readers.all.keys()]) {
      if (readers.all.size <= FOLLOWED_MAX) break;
      if (id !== conversation && !mine.has(id)) this.chat.session.unfollow(id);
    }
  }

  /** @param {number} conversation */
  async close(conversation) {
    await this.chat.call("conversation.close", { conversation }).catch(() => {});
  }

  /** @param {number} conversation */
  async reopen(conversation) {
    await this.chat.call("conversation.reopen", { conversation }).catch(() => {});
  }

  /**
   * @param {number} conversation
   * @returns {Line[]}
   */
  lines(conversation) {
    const log = this.chat.logs.all.get(conversation);
    const sender = this.me.id;
    const mine = [...(log?.echoes.values() ?? [])].sort((a, b) => a.seq - b.seq);
    return [
      ...(log?.messages ?? []).map((m) => ({ ...m, body: m.body ?? "", key: m.key ?? `#${m.seq}` })),
      ...mine.map((echo) => ({ ...echo, sender })),
      ...this.chat.outbox.of(conversation).map((entry) => ({ ...entry, sender })),
      ...(this.replies.held.get(conversation) ?? []),
    ];
  }

  /**
   * @param {number} conversation
   * @returns {{delivered: number, read: number}} how far the visitor has come
   */
  visitorAt(conversation) {
    const receipts = [...(this.chat.logs.all.get(conversation)?.receipts.values() ?? [])];
    const receipt = receipts.find((r) => r.who.startsWith("v"));
    return { delivered: receipt?.delivered ?? 0, read: receipt?.read ?? 0 };
  }

  /** @param {number} conversation */
  seen(conversation) {
    const last = this.chat.logs.all.get(conversation)?.messages.at(-1);
    if (!last) return;
    this.readTo.set(conversation, Math.max(last.seq, this.readTo.get(conversation) ?? 0));
    this.chat.read(conversation, last.seq);
  }
}
