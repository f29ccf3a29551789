/** @import {Wire, WireHandlers} from "./websocket.js" */
import { TransportChooser, WELCOME_MS, YOUNG_MS } from "./chooser.js";
import { GONE, openWebSocket, SILENT } from "./websocket.js";

/**
 * @typedef {(handlers: WireHandlers) => Wire} Open
 * @typedef {"auto" | "websocket" | "longpoll"} Choice
 */

const OPEN_MS = 3_000;
/** Where there is no other to go to, more patience is worth it. */
const PATIENT_MS = 12_000;
const REMEMBERED_MS = 86_400_000;

/**
 * @param {Choice} choice
 * @param {string} origin of the server
 * @returns {Transports}
 */
export function transportsOf(choice, origin) {
  /** @type {Record<string, Open>} */
  const all = {
    websocket: (handlers) => openWebSocket(`${origin.replace(/^http/, "ws")}/kefu/ws`, handlers),
    longpoll: (handlers) => openLater(`${origin}/kefu/poll`, handlers),
  };
  if (choice === "auto") return new Transports(all, new Memory(origin));
  return new Transports({ [choice]: all[choice] });
}

/** @type {Promise<typeof import("./longpoll.js")> | undefined} */
let fallback;

/** Few pages need it: it is loaded when the chat is there, or when needed. */
function loadFallback() {
  fallback ??= import("./longpoll.js");
  fallback.catch(() => (fallback = undefined));
  return fallback;
}

/**
 * @param {string} url
 * @param {WireHandlers} handlers
 * @returns {Wire}
 */
function openLater(url, handlers) {
  /** @type {Wire | undefined} */
  let wire;
  let isOver = false;
  loadFallback().then(
    ({ openLongPoll }) => isOver || (wire = openLongPoll(url, handlers)),
    () => isOver || handlers.closed(1006),
  );
  return {
    send: (frames) => wire?.send(frames),
    wake: () => wire?.wake?.(),
    close() {
      isOver = true;
      wire?.close();
    },
  };
}

/** What worked the last time, for a day. */
export class Memory {
  /**
   * @param {string} origin
   * @param {() => Pick<Storage, "getItem" | "setItem">} [storage] may throw
   */
  constructor(origin, storage = () => localStorage) {
    this.name = `kefu.transport.${origin}`;
    this.storage = storage;
  }

  /**
   * @param {number} now
   * @returns {string}
   */
  recall(now) {
    try {
      const { name, until } = JSON.parse(this.storage().getItem(this.name) ?? "{}");
      return until > now && until <= now + REMEMBERED_MS ? String(name) : "";
    } catch {
      return "";
    }
  }

  /**
   * @param {string} name
   * @param {number} now
   */
  keep(name, now) {
    try {
      this.storage().setItem(this.name, JSON.stringify({ name, until: now + REMEMBERED_MS }));
    } catch {
      // Every page then finds out for itself.
    }
  }
}

/** The ways to the server, of which one is in use. */
export class Transports {
  /**
   * @param {Record<string, Open>} openers best first
   * @param {Memory} [memory]
   */
  constructor(openers, memory) {
    this.openers = openers;
    this.memory = memory;
    const names = Object.keys(openers);
    this.chooser = new TransportChooser(names, memory?.recall(Date.now()));
    const isPatient = names.length === 1;
    this.openMs = isPatient ? PATIENT_MS : OPEN_MS;
    this.welcomeMs = isPatient ? PATIENT_MS : WELCOME_MS;
    /** @type {AbortController | undefined} */
    this.seeking = undefined;
  }

  /** The transport in use, or tried next. */
  get current() {
    return this.chooser.current;
  }

  /** @returns {Open} */
  get open() {
    return this.openers[this.current];
  }

  /** @param {number} now */
  welcomed(now) {
    this.chooser.welcomed(now);
    this.memory?.keep(this.current, now);
    // Later may be too late.
    if (this.memory) loadFallback().catch(() => {});
  }

  /**
   * @param {number} now
   * @param {number} code
   * @returns {boolean} whether to open again at once, perhaps by another transport
   */
  ended(now, code) {
    const { welcomedAt } = this.chooser;
    // Leaving, and what the server itself has said, tell nothing of the way to it.
    if (code === 1000 || (code >= 4000 && code !== SILENT && code !== GONE)) return false;
    const isNext = this.chooser.ended(now, code === SILENT);
    return isNext || (code === GONE && welcomedAt !== null && now - welcomedAt >= YOUNG_MS);
  }

  /**
   * While a fallback is in use, try now and then whether the best one works.
   * @param {() => Promise<string>} token
   * @param {() => void} better called when it does, and is the current one
   */
  seek(token, better) {
    if (this.chooser.isBest) return;
    const { signal } = (this.seeking = new AbortController());
    const seeking = import("./probe.js").then(({ seek }) => seek(this, token, signal));
    seeking.then((found) => found && better(), () => {});
  }

  /** Stop looking for a better one. */
  rest() {
    this.seeking?.abort();
  }
}
