/**
 * The visitor's token, kept for this site so that a reload is the same visitor.
 */
export class VisitorToken {
  /** @param {string} site */
  constructor(site) {
    this.site = site;
    this.name = `kefu.token.${site}`;
    this.token = "";
    this.renewAt = 0;
    /** Who the server says this is. */
    this.id = "";
    /** It was somebody else before. */
    this.hasChanged = false;
    /** Somebody else is there from now on: what is still being asked for is not kept. */
    this.isForgotten = false;
    /** @type {(isForgotten: boolean) => void} this browser has become somebody else in another tab */
    this.replaced = () => {};
    globalThis.addEventListener?.("storage", ({ key, newValue }) => {
      if (key === this.name) this.heard(newValue);
    });
    /** The site must sign who this is, and has not. */
    this.isUnknown = false;
    /** @type {Record<string, any> | null} who the site has signed that this is */
    this.identity = null;
    /** @type {{id: number, staffed: boolean, closed?: boolean, opens_at?: number | null, may_chat: boolean, file_bytes: number, asks_rating: boolean, greeting: string, shows_typing: boolean, recall_within_s: number, edit_within_s: number, translation: {language: string, chosen: string, languages: string[], holds_s: number} | null, form: import("./asking.js").FormAsked | null} | null} */
    this.about = null;
  }

  /**
   * @param {boolean} isRefused the last one was not taken
   * @returns {Promise<string>}
   */
  async get(isRefused) {
    if (this.token && !isRefused && Date.now() < this.renewAt) return this.token;
    return this.alone(() => this.ask(isRefused));
  }

  /**
   * The chat and what reports the visit are two frames of one visitor: one asks, the
   * other then finds the token.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async alone(work) {
    let isBegun = false;
    try {
      return await navigator.locks.request(this.name, () => ((isBegun = true), work()));
    } catch (error) {
      // Where a browser has no locks, or lets frames keep nothing, there are none.
      if (isBegun) throw error;
      return work();
    }
  }

  /**
   * @param {boolean} [isRefused]
   * @returns {Promise<string>}
   */
  async ask(isRefused) {
    const { identity } = this;
    const response = await fetch("/api/visitor/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ site: this.site, token: this.stored(isRefused), identity }),
    });
    this.isUnknown = response.status === 401;
    if (this.isUnknown && identity) {
      console.warn(`kefu: ${(await response.json()).error.text}`);
      // The page may have said another one meanwhile.
      if (this.identity === identity) this.identity = null;
      return this.ask(isRefused);
    }
    if (!response.ok) {
      const final = [401, 403, 404].includes(response.status);
      throw Object.assign(new Error(`token: ${response.status}`), { final });
    }
    const { token, expires_at, site, visitor } = await response.json();
    this.hasChanged ||= this.id !== "" && this.id !== visitor;
    this.id = visitor;
    this.about = site;
    this.renewAt = Date.now() + Math.max(60_000, (expires_at - Date.now()) / 2);
    this.keep(token);
    return token;
  }

  /** @param {string | null} token what another frame or tab keeps from now on; null: somebody has logged out */
  heard(token) {
    if (token === null) {
      this.token = "";
      return this.replaced(true);
    }
    // Where the page itself says who this is, another tab's page does not.
    if (this.identity || this.isForgotten) return;
    this.token = token;
    if (this.isUnknown || (this.id && this.id !== idOf(token))) this.replaced(false);
  }

  /** @param {string} token */
  keep(token) {
    if (this.isForgotten) return;
    this.token = token;
    // Without storage a reload is a new visitor.
    store(this.name, token);
  }

  /**
   * @param {boolean} [isRefused] then another tab may have a better one: the site has
   *   signed who this is
   * @returns {string | null}
   */
  stored(isRefused) {
    const kept = stored(this.name);
    return (isRefused ? kept || this.token : this.token || kept) || null;
  }
}

/** @param {string} token @returns {string} whose it is, as the server names visitors */
function idOf(token) {
  try {
    return `v${JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub}`;
  } catch {
    return "";
  }
}

/** @param {string} name */
export function stored(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name @param {string} value */
export function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser may keep nothing for a frame.
  }
}

/**
 * All tabs of a browser are one visitor: one that shows somebody else begins anew.
 * @param {VisitorToken} visitor
 * @param {import("../client/chat.js").Chat} chat
 */
export function keepTogether(visitor, { connection, outbox }) {
  visitor.replaced = (isForgotten) => {
    visitor.isForgotten ||= isForgotten;
    // What was not sent is not for the next one to send.
    if (isForgotten) for (const key of [...outbox.entries.keys()]) outbox.discard(key);
    if (isForgotten || !visitor.isUnknown) location.reload();
    else if (connection.status === "stopped") connection.retry(0, 0);
  };
}

/**
 * What is written and not sent outlives the frame: a page that the customer turns to, or
 * that says who this is, brings another one.
 * @param {VisitorToken} visitor
 * @param {import("../ui/composer.js").Composer} composer
 */
export function keepDraft(visitor, composer) {
  const name = `kefu.draft.${visitor.site}`;
  try {
    composer.text = sessionStorage.getItem(name) ?? "";
    addEventListener("pagehide", () => sessionStorage.setItem(name, visitor.isForgotten || composer.instead ? "" : composer.text));
  } catch {
    // A browser may keep nothing for a frame.
  }
}
