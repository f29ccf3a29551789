/** @import {ServerFrame} from "./frames" */
/** @import {Session} from "./session.js" */
/** @import {SessionEvent} from "./events" */
/** @import {Transports} from "./transports.js" */
/** @import {Wire} from "./websocket.js" */
import { Backoff } from "./chooser.js";
import { SILENT } from "./websocket.js";

/**
 * @typedef {"connecting" | "live" | "waiting" | "stopped"} Status
 *
 * @typedef {object} ConnectionParts
 * @property {Session} session
 * @property {(isRefused: boolean) => Promise<string>} token a fresh one when refused;
 *   rejects with {final: true} when there is no point in asking again
 * @property {Transports} transports
 * @property {(event: SessionEvent) => void} happened
 * @property {(status: Status, code: number) => void} changed
 * @property {() => number} [now]
 * @property {() => number} [random]
 */

const PROBE_MS = 4_000;
const TOKEN_MS = 12_000;
const SLEEP_MS = 15_000;
const UNAUTHORIZED = 4001;

/** Keeps a session connected: opens, drives its timers, and comes back. */
export class Connection {
  /** @param {ConnectionParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.session = parts.session;
    this.now = parts.now ?? (() => Date.now());
    this.backoff = new Backoff(parts.random);
    /** @type {Status} */
    this.status = "stopped";
    /** @type {Wire | null} */
    this.wire = null;
    this.transports = parts.transports;
    this.attempt = 0;
    this.isRefused = false;
    this.probeUntil = Infinity;
    /** @type {any} */
    this.timer = undefined;
    this.dueAt = Infinity;
  }

  start() {
    if (this.status !== "stopped") return;
    this.connect();
  }

  /** Leave for good. */
  stop() {
    this.leave();
    this.become("stopped", 1000);
  }

  /** Something says that the network may have changed: find out now. */
  wake() {
    if (this.status === "waiting") this.connect();
    else if (this.status === "live") this.probe();
  }

  /** Do what the session wants to have done, and set the next timer. */
  pump() {
    const frames = this.session.outgoing();
    if (frames.length) {
      this.session.spokeAt = this.now();
      this.wire?.send(frames);
    }
    for (const event of this.session.happened()) this.told(event);
    if (this.status === "stopped" || this.status === "waiting") return;
    this.schedule(Math.min(this.session.deadline(), this.probeUntil));
  }

  async connect() {
    this.leave();
    const attempt = this.attempt;
    this.become("connecting", 0);
    this.expect(TOKEN_MS);
    let token;
    try {
      token = await this.parts.token(this.isRefused);
    } catch (error) {
      if (attempt !== this.attempt) return;
      const isFinal = /** @type {{final?: boolean}} */ (error).final;
      if (isFinal) this.stopWith(UNAUTHORIZED);
      else this.retry(this.backoff.next(), 0);
      return;
    }
    if (attempt !== this.attempt) return;
    const isMine = () => attempt === this.attempt;
    this.expect(this.transports.openMs);
    this.wire = this.transports.open({
      opened: () => {
        if (!isMine()) return;
        this.session.opened(token, this.now());
        this.expect(this.transports.welcomeMs);
        this.pump();
      },
      received: (frame) => isMine() && this.received(frame),
      alive: () => isMine() && this.alive(),
      closed: (code, afterMs) => isMine() && this.closed(code, afterMs),
    });
  }

  /** @param {number} ms within which something must come */
  expect(ms) {
    this.probeUntil = this.now() + ms;
    this.schedule(this.probeUntil);
  }

  /** The transport itself has heard from the server. */
  alive() {
    if (this.status !== "live") return;
    this.probeUntil = Infinity;
    this.session.heardAt = this.session.spokeAt = this.now();
  }

  /** @param {ServerFrame} frame */
  received(frame) {
    if (this.status === "live") this.probeUntil = Infinity;
    this.session.receive(frame, this.now());
    this.pump();
  }

  /** @param {SessionEvent} event */
  told(event) {
    if (event.type === "live") {
      this.probeUntil = Infinity;
      this.isRefused = false;
      this.backoff.reset();
      this.transports.welcomed(this.now());
      this.transports.seek(() => this.parts.token(false), () => this.retry(0, 0));
      this.become("live", 0);
    } else if (event.type === "drain") {
      this.retry(this.backoff.within(event.withinMs), 0);
    } else if (event.type === "ended") {
      this.closed(event.code);
    } else if (event.type === "stuck") {
      this.retry(this.backoff.next(), 0);
    }
    this.parts.happened(event);
  }

  /**
   * Stop, or come back, as the code says.
   * @param {number} code
   * @param {number} [afterMs] not before
   */
  closed(code, afterMs = 0) {
    if (this.status === "stopped" || this.status === "waiting") return;
    const wasLive = this.status === "live";
    if (code === UNAUTHORIZED && !this.isRefused) {
      // Once more with a fresh token; a second refusal is final.
      this.isRefused = true;
      this.retry(0, code);
    } else if (code >= 4000 && code < 4100) {
      this.stopWith(code);
    } else if (this.transports.ended(this.now(), code)) {
      this.retry(0, code);
    } else {
      // A first loss comes back within half a second; a server that cannot is spared.
      if (code === 4100 && wasLive) this.backoff.attempt = 3;
      this.retry(Math.max(afterMs, this.backoff.next()), code);
    }
  }

  /** @param {number} code */
  stopWith(code) {
    this.leave();
    this.become("stopped", code);
  }

  /**
   * @param {number} delayMs
   * @param {number} code
   */
  retry(delayMs, code) {
    this.leave();
    this.become("waiting", code);
    this.schedule(this.now() + delayMs);
  }

  /** Give up the transport without a word. */
  leave() {
    this.attempt += 1;
    this.probeUntil = Infinity;
    const wire = this.wire;
    this.wire = null;
    this.session.lost();
    this.transports.rest();
    clearTimeout(this.timer);
    wire?.close();
  }

  /** Ask for a sign of life that must come soon. */
  probe() {
    if (this.probeUntil < Infinity) return;
    this.probeUntil = this.now() + PROBE_MS;
    if (this.wire?.wake) this.wire.wake();
    else this.session.frames.push({ t: "ping" });
    this.pump();
  }

  /** @param {number} at */
  schedule(at) {
    clearTimeout(this.timer);
    this.dueAt = at;
    const wait = Math.min(Math.max(0, at - this.now()), 30_000);
    this.timer = setTimeout(() => this.due(), wait);
  }

  /** A timer has run out. */
  due() {
    const now = this.now();
    if (this.status === "waiting") {
      if (now >= this.dueAt) this.connect();
      else this.schedule(this.dueAt);
      return;
    }
    const overslept = now - this.dueAt > SLEEP_MS;
    if (overslept && this.status === "live" && this.probeUntil === Infinity) {
      // The machine was asleep: silence proves nothing until somebody was asked.
      this.session.heardAt = now;
      this.probe();
      return;
    }
    // A transport with heartbeats of its own ends itself when they stop.
    if (this.wire?.wake) this.session.heardAt = this.session.spokeAt = now;
    // Without a wire it is the token that did not come.
    if (now >= this.probeUntil) this.closed(this.wire ? 1006 : 1000);
    else if (!this.session.tick(now)) this.closed(SILENT);
    else this.pump();
  }

  /**
   * @param {Status} status
   * @param {number} code
   */
  become(status, code) {
    if (status === this.status) return;
    this.status = status;
    this.parts.changed(status, code);
  }
}
