/** @import {ChatEvent} from "../client/chat.js" */
/** @import {Line} from "../ui/items.js" */
import { Chat, Refusal } from "../client/chat.js";
import { Incoming } from "../client/incoming.js";
import { store, stored } from "./visitor.js";

const GRACE_MS = 1_500;

/** The visitor's one conversation: what the widget shows, without a screen. */
export class Model {
  /**
   * @param {object} parts
   * @param {string} parts.site
   * @param {(isRefused: boolean) => Promise<string>} parts.token
   * @param {() => void} parts.changed
   * @param {(text: string, sender: string) => void} parts.heard a new message came in
   * @param {() => void} parts.active
   * @param {(row: {staffed: boolean}) => void} parts.staffed who is there has changed
   * @param {() => {language: string, chosen: string, languages: string[], agents?: string[], holds_s: number} | null | undefined} parts.translation the agents' languages and one's own choice, where it is translated
   */
  constructor({ site, token, changed, heard, active, staffed, translation }) {
    this.chat = new Chat({
      client: "kefu-widget/1",
      scope: `w.${site}`,
      token,
      happened: (event) => this.happened(event),
    });
    this.word = `kefu.word.${site}`;
    this.changed = changed;
    this.active = active;
    this.staffed = staffed;
    this.translation = translation;
    this.incoming = new Incoming({ isMine: this.isMine, heard, changed });
    /** @type {number | null} */
    this.conversation = null;
    /** @type {{id: number, position: number, since: number} | null} in the queue */
    this.place = null;
    this.skew = 0;
    this.isOpening = false;
    /** @type {Record<string, any>} what goes with opening: answers, a department */
    this.opening = {};
    this.wasLive = false;
    this.lostAt = Date.now();
    this.liveHead = 0;
    /** @type {Record<string, number>} conversations of this visitor, as they were at the welcome */
    this.heads = {};
    /** @type {Map<string, string>} */
    this.names = new Map();
    setInterval(() => this.chat.logs.expire(Date.now()) && this.changed(), 1000);
  }

  get log() {
    return this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
  }

  get me() {
    return this.chat.session.me?.id ?? "";
  }

  /** In a conversation of one's own, begun under another number maybe. @param {string} sender */
  isMine(sender) {
    return sender.startsWith("v");
  }

  /** @returns {"live" | "wait" | "lost" | "stopped"} wait: not yet worth a word */
  get state() {
    const { status } = this.chat.connection;
    if (status === "live" || status === "stopped") return status;
    return Date.now() - this.lostAt < GRACE_MS ? "wait" : "lost";
  }

  /** @param {ChatEvent} event */
  happened(event) {
    if (event.type === "live") {
      this.skew = Date.now() - (event.welcome.at ?? Date.now());
      this.welcomed(event.welcome.heads ?? {}, event.welcome.current);
    } else if (event.type === "head") this.adopt(event.frame.conversation, event.frame.last_seq);
    else if (event.type === "message") this.arrived(event.frame);
    else if (event.type === "status" && event.status !== "live") this.lost();
    else if (event.type === "outbox") this.open();
    else if (event.type === "list") this.listed(event.topic, [...event.rows.values()]);
    this.changed();
  }

  /**
   * @param {string} topic
   * @param {any[]} rows
   */
  listed(topic, rows) {
    if (topic.startsWith("queue.")) this.place = rows.find((row) => row.id === this.conversation) ?? rows[0] ?? null;
    else for (const row of rows) this.staffed(row);
  }

  lost() {
    if (this.wasLive) this.lostAt = Date.now();
    this.wasLive = false;
    setTimeout(() => this.changed(), GRACE_MS + 50);
  }

  /** @param {Record<string, number>} heads @param {number | null} [current] the one of them that goes on */
  welcomed(heads, current) {
    this.wasLive = true;
    this.heads = heads;
    const newest = current ?? Math.max(0, ...Object.keys(heads).map(Number));
    if (current && current !== this.conversation) this.conversation = null;
    if (newest) this.adopt(newest, heads[newest]);
    else this.conversation = null;
    this.open();
  }

  /** @param {number} conversation @param {number} head */
  adopt(conversation, head) {
    if (this.conversation && conversation < this.conversation) return;
    if (conversation !== this.conversation) {
      this.conversation = conversation;
      this.liveHead = head;
      this.incoming.clear();
      this.active();
    }
    this.chat.follow(conversation, head);
    this.chat.outbox.assign(conversation);
    this.chat.flush();
  }

  /** Open the conversation once there is something to say in it. */
  async open() {
    const { outbox } = this.chat;
    if (this.isOpening || !this.chat.isLive || !outbox.of(null).length) return;
    if (this.conversation) return this.adopt(this.conversation, 0);
    this.isOpening = true;
    try {
      await this.opened().finally(() => (this.isOpening = false));
    } catch (error) {
      const code = error instanceof Refusal ? error.code : "internal";
      if (code === "disconnected") return;
      for (const { key } of outbox.of(null)) outbox.failed(key, code);
      this.changed();
    }
  }

  /** @param {import("../client/frames").MessageFrame} message */
  arrived(message) {
    if (message.kind === "auto") void this.named(String(message.data?.agent ?? ""));
    if (message.conversation !== this.conversation) return;
    if (["text", "file"].includes(message.kind)) void this.named(message.sender);
    this.incoming.take(message, this.translation(), { now: Date.now() - this.skew, isNews: message.seq > this.liveHead });
  }

  /** @param {string} id */
  async named(id) {
    if (this.names.has(id) || !id.startsWith("a")) return;
    this.names.set(id, "");
    try {
      const { people } = await this.chat.call("people.get", { ids: [id] });
      for (const person of people) this.names.set(person.id, person.name);
      this.changed();
    } catch {
      this.names.delete(id);
    }
  }

  /** @returns {Promise<number>} the conversation; where there is none, one that begins with what an agent invited with */
  async opened() {
    if (this.conversation) return this.conversation;
    const invitation = stored(this.word);
    const { conversation } = await this.chat.call("conversation.open", { ...this.opening, language: navigator.language, chosen_language: this.translation()?.chosen ?? "", ...(invitation && { invitation }) });
    if (invitation) store(this.word, "");
    this.adopt(conversation.id, conversation.last_seq ?? 0);
    return conversation.id;
  }

  /** @param {string} body */
  send(body) {
    this.chat.send(this.conversation, body);
  }

  /** @returns {import("../client/outbox.js").Entry[]} what is written and not stored */
  waiting() {
    const { outbox } = this.chat;
    return this.conversation ? [...outbox.of(this.conversation), ...outbox.of(null)] : outbox.of(null);
  }

  /** @returns {Line[]} the log, and below it what waits */
  lines() {
    const { log } = this;
    const sender = this.me;
    const mine = [...(log?.echoes.values() ?? [])].sort((a, b) => a.seq - b.seq);
    return [
      ...(log?.messages ?? []).filter((m) => this.incoming.isShown(m)).map((m) => ({ ...m, body: m.body ?? "", key: m.key ?? `#${m.seq}` })),
      ...mine.map((echo) => ({ ...echo, sender })),
      ...this.waiting().map((entry) => ({ ...entry, sender })),
    ];
  }

  /** @returns {{delivered: number, read: number}} how far any agent has come */
  other() {
    const agents = [...(this.log?.receipts.values() ?? [])].filter((r) => r.who.startsWith("a"));
    return {
      delivered: Math.max(0, ...agents.map((r) => r.delivered ?? 0)),
      read: Math.max(0, ...agents.map((r) => r.read ?? 0)),
    };
  }

  /** @returns {boolean} there are translations, or there may be */
  get isTranslated() {
    return Boolean(this.translation() || this.log?.messages.some(({ kind }) => kind === "translation" || kind === "translating"));
  }

  /** @returns {boolean} something was written before there was a conversation */
  get hasBegun() {
    return this.chat.outbox.of(null).some((entry) => !entry.failure);
  }

  /** @returns {boolean} an agent is at it */
  get isAnswered() {
    return Boolean(this.log?.messages.filter((m) => ["assignment", "close", "reopen"].includes(m.kind)).at(-1)?.data?.assignee);
  }

  /** @returns {string[]} who is typing */
  typing() {
    return [...(this.log?.typing.keys() ?? [])];
  }

  get readName() {
    return `kefu.read.${this.conversation}`;
  }

  /** @returns {number} messages of the other side that nobody has looked at */
  unread() {
    const read = Number(stored(this.readName));
    return this.log?.messages.filter((m) => m.seq > read && ["text", "file"].includes(m.kind) && !this.isMine(m.sender) && this.incoming.isShown(m)).length ?? 0;
  }

  /** Everything that is here was shown to the person. */
  seen() {
    const { log } = this;
    const last = log?.messages.filter(({ seq }) => seq < this.incoming.from).at(-1);
    if (!log || !last) return;
    if (last.seq > Number(stored(this.readName))) store(this.readName, String(last.seq));
    this.chat.read(log.conversation, last.seq);
  }
}
