/** @import {ClientFrame} from "./frames" */
/** @import {Answer, Asking, Surroundings} from "./requests.js" */
/** @import {Wire, WireHandlers} from "./websocket.js" */
import { browser, Ended, Requests } from "./requests.js";
import { takeBatch } from "./websocket.js";

/** How much longer than asked for an answer may take. */
const MARGIN_MS = 10_000;
const UP_MS = 15_000;
const HIDDEN_MS = 30_000;
const SOON_MS = 1_000;

/**
 * @param {string} url
 * @param {WireHandlers} handlers
 * @returns {Wire}
 */
export function openLongPoll(url, handlers) {
  return new LongPoll(url, handlers, browser());
}

/**
 * Frames over plain HTTP: one poll is held, one request goes up at a time. What went
 * wrong is asked again under its number, so that nothing is lost or taken twice.
 */
export class LongPoll {
  /**
   * @param {string} url
   * @param {WireHandlers} handlers
   * @param {Surroundings} around
   */
  constructor(url, handlers, around) {
    this.handlers = handlers;
    this.around = around;
    this.requests = new Requests(url, around.fetch);
    this.polls = 0;
    this.rid = 0;
    /** The newest batch that is held without a gap. */
    this.ack = 0;
    /** @type {string[]} frames to go up, encoded */
    this.waiting = [];
    this.isSending = false;
    this.isOver = false;
    this.hurriedAt = -Infinity;
    /** @type {AbortController | undefined} */
    this.polling = undefined;
    /** @type {AbortController | undefined} */
    this.sending = undefined;
    /** @type {any} */
    this.timer = undefined;
    // A page that nobody looks at holds no poll; one that is shown again asks at once.
    this.unwatch = around.watch(() => this.poll(0), () => this.left());
    queueMicrotask(() => this.isOver || handlers.opened());
  }

  /** @param {ClientFrame[]} frames */
  send(frames) {
    if (this.isOver) return;
    this.waiting.push(...frames.map((frame) => JSON.stringify(frame)));
    if (this.polls === 0) this.begin(String(this.waiting.shift()));
    else this.up();
  }

  /** Find out now whether the server can be reached. */
  wake() {
    if (Date.now() - this.hurriedAt > SOON_MS) this.poll(0);
  }

  close() {
    if (!this.isOver) this.bye([]);
    this.over(1000);
  }

  /** The page is left: what it has not said yet goes with the goodbye. */
  left() {
    this.bye(takeBatch(this.waiting));
    this.over(1000);
  }

  /** How long a poll is to be held: its answer is the heartbeat. */
  get waitMs() {
    return this.around.isHidden() ? 0 : this.requests.heartbeatMs;
  }

  /** @param {string} hello */
  async begin(hello) {
    this.polls = 1;
    const waitMs = this.requests.heartbeatMs;
    const answer = await this.ask(
      () => `{"poll":1,"ack":0,"wait":${waitMs / 1000},"hello":${hello}}`,
      {
        limitMs: waitMs + MARGIN_MS,
        // A hello that was answered and lost would leave a session behind.
        tries: 1,
        making: (abort) => (this.polling = abort),
        isWanted: () => !this.isOver,
      },
    );
    if (!answer) return;
    try {
      this.take(answer);
    } finally {
      this.next();
      this.up();
    }
  }

  /**
   * Ask for what is new. A poll that is held is given up for this one.
   * @param {number} waitMs
   */
  async poll(waitMs) {
    if (this.isOver || !this.requests.session) return;
    clearTimeout(this.timer);
    this.polling?.abort();
    const number = (this.polls += 1);
    const startedAt = Date.now();
    this.hurriedAt = waitMs ? -Infinity : startedAt;
    const held = this.ack;
    const answer = await this.ask(
      () => `{"poll":${number},"ack":${this.ack},"wait":${waitMs / 1000}}`,
      {
        limitMs: waitMs + MARGIN_MS,
        making: (abort) => (this.polling = abort),
        isWanted: () => !this.isOver && number === this.polls,
      },
    );
    if (!answer) return;
    try {
      this.take(answer);
    } finally {
      const isHasty = waitMs > 0 && this.ack === held && Date.now() - startedAt < SOON_MS;
      this.next(isHasty ? SOON_MS * (1 + Math.random()) : 0);
    }
  }

  /**
   * Poll again: at once where somebody looks, unless the last answer came suspiciously
   * soon with nothing in it.
   * @param {number} [pauseMs]
   */
  next(pauseMs = 0) {
    if (this.isOver) return;
    const delayMs = this.around.isHidden() ? HIDDEN_MS : pauseMs;
    clearTimeout(this.timer);
    if (delayMs) this.timer = setTimeout(() => this.poll(this.waitMs), delayMs);
    else this.poll(this.waitMs);
  }

  /** Send what waits, one request at a time. */
  async up() {
    if (this.isSending || this.isOver || !this.requests.session || !this.waiting.length) return;
    this.isSending = true;
    const rid = (this.rid += 1);
    const frames = takeBatch(this.waiting).join(",");
    const answer = await this.ask(
      () => `{"rid":${rid},"ack":${this.ack},"frames":[${frames}]}`,
      {
        limitMs: UP_MS,
        making: (abort) => (this.sending = abort),
        isWanted: () => !this.isOver,
      },
    );
    if (!answer) return;
    this.isSending = false;
    try {
      this.take(answer);
    } finally {
      this.up();
    }
  }

  /**
   * @param {() => string} body
   * @param {Asking} asking
   * @returns {Promise<Answer | null>}
   */
  async ask(body, asking) {
    try {
      return await this.requests.ask(body, asking);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.over(error.code, error.afterMs);
      return null;
    }
  }

  /**
   * Pass on the batches that are next; any other is here already, or comes again.
   * @param {Answer} answer
   */
  take(answer) {
    this.handlers.alive?.();
    for (const { n, frames } of answer.batches ?? []) {
      if (n !== this.ack + 1) continue;
      this.ack = n;
      for (const frame of frames) {
        if (this.isOver) return;
        if (frame.t === "welcome" && frame.heartbeat_s) {
          this.requests.heartbeatMs = frame.heartbeat_s * 1000;
        }
        this.handlers.received(frame);
      }
    }
  }

  /**
   * End the session, which the server would keep for a minute otherwise.
   * @param {string[]} last frames to say before
   */
  bye(last) {
    if (!this.requests.session) return;
    const frames = [...last, '{"t":"bye"}'].join(",");
    const body = `{"rid":${this.rid + 1},"ack":${this.ack},"frames":[${frames}]}`;
    // This request outlives the page.
    this.requests.make(body, { keepalive: true }).catch(() => {});
  }

  /**
   * @param {number} code
   * @param {number} [afterMs]
   */
  over(code, afterMs = 0) {
    if (this.isOver) return;
    this.isOver = true;
    this.unwatch();
    clearTimeout(this.timer);
    this.polling?.abort();
    this.sending?.abort();
    this.handlers.closed(code, afterMs);
  }
}
