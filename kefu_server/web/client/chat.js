/** @import {Page, Reply, ErrorFrame} from "./frames" */
/** @import {SessionEvent} from "./events" */
/** @import {Entry} from "./outbox.js" */
/** @import {Status} from "./connection.js" */
/** @import {Choice} from "./transports.js" */
import { Connection } from "./connection.js";
import { Logs } from "./logs.js";
import { Outbox } from "./outbox.js";
import { Session } from "./session.js";
import { TabStorage } from "./tabs.js";
import { transportsOf } from "./transports.js";

/** @typedef {SessionEvent | {type: "status", status: Status, code: number}} ChatEvent */

const TYPING_EVERY_MS = 2_000;
const PAGE = 40;

/** A request that was refused, or whose connection was lost before its answer. */
export class Refusal extends Error {
  /**
   * @param {string} code
   * @param {string} [text] what the server says of it
   */
  constructor(code, text = code) {
    super(text);
    this.code = code;
  }
}

/** What a page works with: one connection, its logs and its outbox. */
export class Chat {
  /**
   * @param {object} parts
   * @param {string} parts.client
   * @param {string} parts.scope whose outbox this is
   * @param {(isRefused: boolean) => Promise<string>} parts.token
   * @param {(event: ChatEvent) => void} parts.happened
   * @param {Choice} [parts.transport]
   */
  constructor({ client, scope, token, happened, transport = "auto" }) {
    this.storage = new TabStorage(scope);
    this.outbox = new Outbox(this.storage);
    this.session = new Session({ client, outbox: this.outbox });
    this.logs = new Logs((entry) => this.outbox.adopt([entry]));
    this.happened = happened;
    /** @type {Map<string, {resolve: (frame: any) => void, reject: (e: Refusal) => void}>} */
    this.waiting = new Map();
    this.typedAt = 0;
    this.isTyping = false;
    /** @type {any} */
    this.typingTimer = undefined;
    this.connection = new Connection({
      session: this.session,
      token,
      transports: transportsOf(transport, location.origin),
      happened: (event) => this.told(event),
      changed: (status, code) => {
        if (status !== "live") this.forget();
        happened({ type: "status", status, code });
      },
    });
  }

  get isLive() {
    return this.connection.status === "live";
  }

  async start() {
    await this.storage.open((entries) => {
      this.outbox.adopt(entries);
      this.happened({ type: "outbox" });
      this.flush();
    });
    wakeWithPage(this.connection);
    this.connection.start();
  }

  /**
   * @param {number | null} conversation
   * @param {string} body
   * @param {string} [kind]
   * @param {Record<string, any>} [data]
   */
  send(conversation, body, kind = "text", data) {
    this.outbox.add({ key: newKey(), conversation, kind, body, ...(data && { data }), at: Date.now() });
    clearTimeout(this.typingTimer);
    this.isTyping = false;
    this.happened({ type: "outbox" });
    this.flush();
  }

  /** @param {string} key */
  retry(key) {
    this.outbox.retry(key, newKey(), Date.now());
    this.happened({ type: "outbox" });
    this.flush();
  }

  flush() {
    this.session.flush(Date.now());
    this.connection.pump();
  }

  /**
   * @param {number} conversation
   * @param {number} head the newest seq; following begins a page before it
   */
  follow(conversation, head) {
    if (this.session.readers.all.has(conversation)) return;
    const log = this.logs.of(conversation);
    const held = log.messages.at(-1)?.seq;
    this.session.follow(conversation, held ?? Math.max(0, head - PAGE), head);
    this.connection.pump();
  }

  /** @param {number} conversation */
  async older(conversation) {
    const log = this.logs.of(conversation);
    if (log.isPaging || log.first <= 1 || !this.isLive) return;
    log.isPaging = true;
    try {
      const id = this.session.ask({ t: "fetch", conversation, before: log.first, limit: PAGE });
      this.logs.prepend(/** @type {Page} */ (await this.answer(id)));
    } catch (refusal) {
      // The next scroll to the top asks again, above what is missing.
      this.logs.refused(conversation, refusal, log.first - 1);
    } finally {
      log.isPaging = false;
    }
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} [params]
   * @returns {Promise<Record<string, any>>}
   */
  async call(method, params = {}) {
    if (!this.isLive) throw new Refusal("disconnected");
    const frame = await this.answer(this.session.ask({ t: "call", method, params }));
    return /** @type {Reply} */ (frame).result ?? {};
  }

  /** @param {string} topic */
  watch(topic) {
    this.session.watch(topic);
    this.connection.pump();
  }

  /**
   * @param {number} conversation
   * @param {number} seq
   */
  read(conversation, seq) {
    this.session.readers.shown(conversation, seq, Date.now());
    this.connection.pump();
  }

  /**
   * @param {number} conversation
   * @param {string} text what is not sent yet
   * @param {boolean} [isShown] whether the text itself is told
   */
  typing(conversation, text, isShown = false) {
    const now = Date.now();
    const is_typing = text.length > 0;
    clearTimeout(this.typingTimer);
    if (!this.isLive || (!is_typing && !this.isTyping)) return;
    const wait = this.typedAt + TYPING_EVERY_MS - now;
    // The last state is told too, or the other side would keep the first letter.
    const later = () => this.typing(conversation, text, isShown);
    if (is_typing && wait > 0) return void (this.typingTimer = setTimeout(later, wait + 150));
    this.isTyping = is_typing;
    if (is_typing) this.typedAt = now;
    this.session.frames.push({ t: "typing", conversation, text: isShown ? text.slice(0, 500) : "", is_typing });
    this.connection.pump();
  }

  /** @param {SessionEvent} event */
  told(event) {
    if (event.type === "message") this.logs.append(event.frame);
    else if (event.type === "stored") this.echo(event);
    else if (event.type === "receipt") this.logs.receipt(event.frame);
    else if (event.type === "typing") this.logs.typing(event.frame, Date.now());
    else if (event.type === "reset") this.logs.reset();
    else if (event.type === "live") this.logs.lost.welcomed(event.welcome);
    else if (event.type === "head") this.logs.lost.reaches(event.frame);
    else if (event.type === "refused") this.logs.refused(event.frame.conversation ?? 0, event.frame, this.session.readers.next(event.frame));
    else if (event.type === "answer") this.answered(event.id, event.frame);
    this.happened(event);
  }

  /**
   * Keep showing what is stored until the log brings it.
   * @param {{entry: Entry, seq: number, at: number}} stored
   */
  echo({ entry, seq, at }) {
    const conversation = entry.conversation ?? 0;
    const reader = this.session.readers.all.get(conversation);
    if (!reader || reader.cursor >= seq) return;
    this.logs.of(conversation).echoes.set(entry.key, { ...entry, seq, at });
  }

  /**
   * @param {string} id
   * @returns {Promise<Page | Reply>}
   */
  answer(id) {
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.connection.pump();
    return answer;
  }

  /**
   * @param {string} id
   * @param {Page | Reply | ErrorFrame} frame
   */
  answered(id, frame) {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (frame.t === "error") waiting?.reject(new Refusal(frame.code, frame.text));
    else waiting?.resolve(frame);
  }

  /** The connection is lost: its answers will not come. */
  forget() {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of all) reject(new Refusal("disconnected"));
  }
}

/** @returns {string} 128 random bits, also where randomUUID needs https */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Wake a connection whenever the browser hints that the network is back.
 * @param {Connection} connection
 */
function wakeWithPage(connection) {
  const wake = () => connection.wake();
  addEventListener("online", wake);
  addEventListener("offline", wake);
  addEventListener("pageshow", wake);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") wake();
  });
}
