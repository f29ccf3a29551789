/** @import {ServerFrame} from "./frames" */
import { GONE, SILENT } from "./websocket.js";

/**
 * @typedef {{batches?: {n: number, frames: ServerFrame[]}[], superseded?: boolean}} Answer
 *
 * @typedef {object} Asking how a request is made
 * @property {number} limitMs for one try
 * @property {number} [tries]
 * @property {(abort: AbortController) => void} making called with what ends each try
 * @property {() => boolean} isWanted
 *
 * @typedef {object} Surroundings what a long poll needs of a browser
 * @property {typeof fetch} fetch
 * @property {() => boolean} isHidden whether nobody looks at the page
 * @property {(turned: () => void, left: () => void) => () => void} watch tells when the
 *   page is shown or hidden, and when it is left; returns what ends the telling
 */

const BROKEN = 1006;
const OVERLOADED = 4100;

const TRIES = 4;
const RETRY_MS = 300;
const RETRY_AFTER_MAX_MS = 30_000;

/** The server cannot be reached in this way any more. */
export class Ended extends Error {
  /**
   * @param {number} code
   * @param {number} [afterMs]
   */
  constructor(code, afterMs = 0) {
    super(`ended: ${code}`);
    this.code = code;
    this.afterMs = afterMs;
  }
}

/** An answer with another status than 200. */
class Refused extends Error {
  /** @param {Response} response */
  constructor({ status, headers }) {
    super(`HTTP ${status}`);
    this.status = status;
    const after = headers.get("retry-after") ?? "";
    this.afterMs = /^\d+$/.test(after) ? Math.min(Number(after) * 1000, RETRY_AFTER_MAX_MS) : 0;
    /** Whether the same request may be answered later. */
    this.isTemporary = status === 408 || status === 429 || status >= 500;
  }
}

/** The requests of one session, each made again until it is answered. */
export class Requests {
  /**
   * @param {string} url
   * @param {typeof fetch} fetch
   */
  constructor(url, fetch) {
    this.url = url;
    this.fetch = fetch;
    this.session = "";
    this.heartbeatMs = 25_000;
  }

  /**
   * @param {() => string} body asked for at every try; its number never changes
   * @param {Asking} asking
   * @returns {Promise<Answer | null>} null when there is no use for it any more
   * @throws {Ended} when there is no point in trying on
   */
  async ask(body, { limitMs, tries = TRIES, making, isWanted }) {
    // A direction that is dead for two heartbeats ends the session.
    const until = Date.now() + 2 * this.heartbeatMs;
    for (let failures = 1; ; failures += 1) {
      const abort = new AbortController();
      making(abort);
      const limit = setTimeout(() => abort.abort(), Math.min(limitMs, until - Date.now()));
      let delayMs;
      try {
        const answer = await this.make(body(), { signal: abort.signal });
        return isWanted() ? answer : null;
      } catch (error) {
        if (!isWanted()) return null;
        if (error instanceof Ended) throw error;
        const refused = error instanceof Refused ? error : undefined;
        delayMs = pause(refused, failures);
        const ended = why(refused, failures, tries, Date.now() + delayMs >= until);
        if (ended) throw ended;
      } finally {
        clearTimeout(limit);
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (!isWanted()) return null;
    }
  }

  /**
   * Make one request once.
   * @param {string} body
   * @param {RequestInit} options
   * @returns {Promise<Answer>}
   */
  async make(body, options) {
    /** @type {Record<string, string>} */
    const headers = { "content-type": "application/json" };
    if (this.session) headers["kefu-session"] = this.session;
    const response = await this.fetch(this.url, {
      method: "POST", headers, body, credentials: "same-origin", cache: "no-store", redirect: "error", ...options,
    });
    if (response.status !== 200) throw new Refused(response);
    const session = response.headers.get("kefu-session");
    // A body that was cut does not parse: its batches come again.
    const answer = await response.json();
    if (!session) throw new Error("somebody else has answered");
    this.session ||= session;
    if (session !== this.session) throw new Ended(GONE);
    return answer;
  }
}

/**
 * @param {Refused | undefined} refused
 * @param {number} failures
 * @returns {number} milliseconds before the next try
 */
function pause(refused, failures) {
  const ceiling = RETRY_MS * 2 ** Math.min(failures, 6);
  return (refused?.afterMs ?? 0) + (0.1 + 0.9 * Math.random()) * ceiling / 2;
}

/**
 * @param {Refused | undefined} refused
 * @param {number} failures
 * @param {number} tries
 * @param {boolean} isLate
 * @returns {Ended | null} why not to try on
 */
function why(refused, failures, tries, isLate) {
  if (refused?.status === 410) return new Ended(GONE);
  if (refused && !refused.isTemporary) return new Ended(BROKEN);
  // Who was told when to come back waits for it; the first request of all need not.
  if (refused?.afterMs && tries === 1) return new Ended(OVERLOADED, refused.afterMs);
  if (isLate) return new Ended(SILENT);
  return failures >= tries && !refused?.afterMs ? new Ended(BROKEN) : null;
}

/** @returns {Surroundings} */
export function browser() {
  return {
    fetch: (...request) => fetch(...request),
    isHidden: () => document.visibilityState === "hidden",
    watch(turned, left) {
      document.addEventListener("visibilitychange", turned);
      addEventListener("pagehide", left);
      return () => {
        document.removeEventListener("visibilitychange", turned);
        removeEventListener("pagehide", left);
      };
    },
  };
}
