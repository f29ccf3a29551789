/** @import {ChatEvent} from "../client/chat.js" */
/** @import {Line} from "../ui/items.js" */
import { Chat, Refusal } from "../client/chat.js";

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
   */
  constructor({ site, token, changed, heard, active, staffed }) {
    this.chat = new Chat({
      client: "kefu-widget/1",
      scope: `w.${site}`,
      token,
      happened: (event) => this.happened(event),
    });
    this.changed = changed;
    this.heard = heard;
    this.active = active;
    this.staffed = staffed;
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
    this.isShown = false;
    /** @type {Map<string, string>} */
    this.names = new Map();
    setInterval(() => this.chat.logs.expire(Date.now()) && this.changed(), 1000);
  }

  get me() {
    return this.chat.session.me?.id ?? "";
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
      this.welcomed(event.welcome.heads ?? {});
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
    if (topic.startsWith("queue.")) this.place = rows[0] ?? null;
    else for (const row of rows) this.staffed(row);
  }

  lost() {
    if (this.wasLive) this.lostAt = Date.now();
    this.wasLive = false;
    setTimeout(() => this.changed(), GRACE_MS + 50);
  }

  /** @param {Record<string, number>} heads */
  welcomed(heads) {
    this.wasLive = true;
    const newest = Math.max(0, ...Object.keys(heads).map(Number));
    if (newest) this.adopt(newest, heads[newest]);
    else this.conversation = null;
    this.open();
  }

  /**
   * @param {number} conversation
   * @param {number} head
   */
  adopt(conversation, head) {
    if (this.conversation && conversation < this.conversation) return;
    if (conversation !== this.conversation) {
      this.conversation = conversation;
      this.liveHead = head;
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
      const { conversation } = await this.chat.call("conversation.open", this.opening);
      this.isOpening = false;
      this.adopt(conversation.id, conversation.last_seq ?? 0);
    } catch (error) {
      this.isOpening = false;
      const code = error instanceof Refusal ? error.code : "internal";
      if (code === "disconnected") return;
      for (const { key } of outbox.of(null)) outbox.failed(key, code);
      this.changed();
    }
  }

  /** @param {import("../client/frames").MessageFrame} message */
  arrived(message) {
    if (message.kind === "auto") void this.named(String(message.data?.agent ?? ""));
    if (message.sender === this.me || !["text", "file"].includes(message.kind)) return;
    this.named(message.sender);
    if (message.seq > this.liveHead) this.heard(message.body ?? "", message.sender);
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

  /** @returns {Promise<number>} the conversation, opened where there is none */
  async opened() {
    if (this.conversation) return this.conversation;
    const { conversation } = await this.chat.call("conversation.open", this.opening);
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
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    const sender = this.me;
    const mine = [...(log?.echoes.values() ?? [])].sort((a, b) => a.seq - b.seq);
    return [
      ...(log?.messages ?? []).map((m) => ({ ...m, body: m.body ?? "", key: m.key ?? `#${m.seq}` })),
      ...mine.map((echo) => ({ ...echo, sender })),
      ...this.waiting().map((entry) => ({ ...entry, sender })),
    ];
  }

  /** @returns {{delivered: number, read: number}} how far any agent has come */
  other() {
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    const agents = [...(log?.receipts.values() ?? [])].filter((r) => r.who.startsWith("a"));
    return {
      delivered: Math.max(0, ...agents.map((r) => r.delivered ?? 0)),
      read: Math.max(0, ...agents.map((r) => r.read ?? 0)),
    };
  }

  /** @returns {boolean} something was written before there was a conversation */
  get hasBegun() {
    return this.chat.outbox.of(null).some((entry) => !entry.failure);
  }

  /** @returns {boolean} an agent is at it */
  get isAnswered() {
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    const last = log?.messages.filter((m) => ["assignment", "close", "reopen"].includes(m.kind)).at(-1);
    return Boolean(last?.data?.assignee);
  }

  /** @returns {string[]} who is typing */
  typing() {
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    return [...(log?.typing.keys() ?? [])];
  }

  get readName() {
    return `kefu.read.${this.conversation}`;
  }

  /** @returns {number} messages of the other side that nobody has looked at */
  unread() {
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    const read = Number(stored(this.readName));
    const theirs = log?.messages.filter((m) => ["text", "file"].includes(m.kind) && m.sender !== this.me);
    return theirs?.filter((m) => m.seq > read).length ?? 0;
  }

  /** Everything that is here was shown to the person. */
  seen() {
    const log = this.conversation ? this.chat.logs.all.get(this.conversation) : undefined;
    const last = log?.messages.at(-1);
    if (!log || !last) return;
    if (last.seq > Number(stored(this.readName))) store(this.readName, String(last.seq));
    this.chat.read(log.conversation, last.seq);
  }
}

/** @param {string} name */
function stored(name) {
  try {
    return localStorage.getItem(name) ?? "0";
  } catch {
    return "0";
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // The badge then counts from the last reload.
  }
}
