/** @import * as F from "./frames" */
/** @import {SessionEvent} from "./events" */
/** @import {Outbox} from "./outbox.js" */
import { Lanes } from "./lanes.js";
import { Lists } from "./logs.js";
import { Readers } from "./readers.js";

const SILENCE_MS = 25_000;
const OUTSTANDING = 32;

/** The client's side of the protocol: frames and times in, frames and events out. */
export class Session {
  /** @param {{client: string, outbox: Outbox}} parts */
  constructor({ client, outbox }) {
    this.client = client;
    this.outbox = outbox;
    this.lanes = new Lanes(outbox);
    this.readers = new Readers();
    this.lists = new Lists();
    /** @type {"closed" | "greeting" | "live"} */
    this.state = "closed";
    this.epoch = "";
    /** @type {F.Person | null} */
    this.me = null;
    /** @type {F.SharedLimits | null} */
    this.limits = null;
    this.silenceMs = SILENCE_MS;
    this.heardAt = this.spokeAt = this.calls = 0;
    /** @type {F.ClientFrame[]} */
    this.frames = [];
    /** @type {SessionEvent[]} */
    this.events = [];
  }

  /** What to put on the wire now. */
  outgoing() {
    return this.frames.splice(0);
  }

  /** What happened since the last time. */
  happened() {
    return this.events.splice(0);
  }

  /**
   * The transport is open: say who we are and what we hold.
   * @param {string} token
   * @param {number} now
   */
  opened(token, now) {
    this.frames.length = 0;
    this.lanes.restart();
    this.readers.restart();
    this.state = "greeting";
    this.heardAt = this.spokeAt = now;
    const { client, epoch } = this;
    const cursors = this.readers.cursors();
    this.frames.push({ t: "hello", v: 1, token, client, epoch, cursors });
  }

  /** The transport is gone; what was on the wire is sent again on the next one. */
  lost() {
    this.state = "closed";
    this.frames.length = 0;
  }

  /**
   * @param {F.ServerFrame} frame
   * @param {number} now
   */
  receive(frame, now) {
    this.heardAt = now;
    switch (frame.t) {
      case "welcome":
        return this.welcomed(frame, now);
      case "message":
        return this.arrived(frame, now);
      case "sent":
        this.stored(frame.key, frame);
        return this.flush(now);
      case "head":
        this.readers.hint(frame.conversation, frame.last_seq, now);
        this.events.push({ type: "head", frame });
        return;
      case "receipt":
        return void this.events.push({ type: "receipt", frame });
      case "typing_event":
        return void this.events.push({ type: "typing", frame });
      case "page":
      case "reply":
        this.events.push({ type: "answer", id: frame.id, frame });
        return;
      case "snapshot":
      case "event":
        return this.listed(frame);
      case "error":
        return this.refused(frame, now);
      case "ping":
        return void this.frames.push({ t: "pong" });
      case "drain":
        this.events.push({ type: "drain", withinMs: frame.within_s * 1000 });
        return;
      case "closed":
        this.events.push({ type: "ended", code: frame.code });
    }
  }

  /**
   * @param {F.Welcome} welcome
   * @param {number} now
   */
  welcomed(welcome, now) {
    const isReplaced = !welcome.resumed && this.readers.all.size > 0;
    this.state = "live";
    this.epoch = welcome.epoch;
    this.me = welcome.me;
    this.limits = welcome.limits;
    this.silenceMs = welcome.heartbeat_s * 1000 || SILENCE_MS;
    if (isReplaced) {
      this.readers.all.clear();
      this.events.push({ type: "reset" });
    }
    for (const [id, head] of Object.entries(welcome.heads ?? {})) {
      this.readers.hint(Number(id), head, now);
    }
    for (const topic of this.lists.topics.keys()) this.frames.push({ t: "watch", topic });
    this.events.push({ type: "live", welcome });
    this.flush(now);
  }

  /**
   * @param {F.MessageFrame} frame
   * @param {number} now
   */
  arrived(frame, now) {
    // Taken first, so that the bubble and the entry it replaces change in one step.
    if (this.readers.take(frame, now)) this.events.push({ type: "message", frame });
    if (frame.key) this.stored(frame.key, frame);
    this.flush(now);
  }

  /**
   * @param {string} key
   * @param {{seq: number, at: number}} place
   */
  stored(key, { seq, at }) {
    const entry = this.outbox.get(key);
    if (!entry) return;
    this.lanes.settled(key);
    this.outbox.stored(key);
    this.events.push({ type: "stored", entry, seq, at });
  }

  /**
   * @param {F.ErrorFrame} error
   * @param {number} now
   */
  refused(error, now) {
    if (error.id) {
      this.events.push({ type: "answer", id: error.id, frame: error });
    } else if (error.key && error.retry && error.retry !== "none") {
      if (!this.lanes.broken(error, now)) this.events.push({ type: "stuck" });
    } else if (error.key && this.outbox.get(error.key)) {
      this.lanes.settled(error.key);
      this.outbox.failed(error.key, error.code);
      this.events.push({ type: "outbox" });
    } else {
      this.readers.refused(error, now);
      this.events.push({ type: "refused", frame: error });
    }
    this.flush(now);
  }

  /** @param {F.Snapshot | F.Event} frame */
  listed(frame) {
    const { topic } = frame;
    if (!this.lists.take(frame)) this.frames.push({ t: "watch", topic });
    else this.events.push({ type: "list", topic, rows: this.lists.rows(topic) });
  }

  /**
   * Send what waits, in the order written.
   * @param {number} now
   */
  flush(now) {
    if (this.state !== "live") return;
    const limit = Math.min(OUTSTANDING, this.limits?.unacknowledged_sends ?? OUTSTANDING);
    this.frames.push(...this.lanes.take(now, limit));
  }

  /**
   * @param {number} conversation
   * @param {number} after
   * @param {number} [head]
   */
  follow(conversation, after, head = after) {
    this.readers.follow(conversation, after, head);
    if (this.state === "live") this.frames.push({ t: "follow", conversation, after });
  }

  /** @param {number} conversation */
  unfollow(conversation) {
    if (!this.readers.all.delete(conversation)) return;
    if (this.state === "live") this.frames.push({ t: "unfollow", conversation });
  }

  /** @param {string} topic */
  watch(topic) {
    this.lists.watch(topic);
    if (this.state === "live") this.frames.push({ t: "watch", topic });
  }

  /**
   * Ask for something; the answer comes as an event with the returned id.
   * @param {{t: "call", method: string, params: Record<string, any>}
   *   | {t: "fetch", conversation: number, before?: number, limit?: number}} request
   * @returns {string}
   */
  ask(request) {
    const id = `c${(this.calls += 1)}`;
    this.frames.push(/** @type {F.Call | F.Fetch} */ ({ ...request, id }));
    return id;
  }

  /**
   * Do what is due by now.
   * @param {number} now
   * @returns {boolean} false when the peer is gone
   */
  tick(now) {
    if (this.state === "closed") return true;
    if (now - this.heardAt > 2 * this.silenceMs) return false;
    if (this.state === "live") {
      this.frames.push(...this.readers.tick(now));
      if (this.lanes.deadline() <= now) this.flush(now);
      if (now - this.spokeAt >= this.silenceMs) this.frames.push({ t: "ping" });
    }
    if (this.frames.length) this.spokeAt = now;
    return true;
  }

  /** @returns {number} when to tick next */
  deadline() {
    if (this.state === "closed") return Infinity;
    const gone = this.heardAt + 2 * this.silenceMs + 1;
    if (this.state === "greeting") return gone;
    const ping = this.spokeAt + this.silenceMs;
    return Math.min(gone, ping, this.readers.deadline(), this.lanes.deadline());
  }
}
