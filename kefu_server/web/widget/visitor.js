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
    /** @type {{id: number, staffed: boolean, closed?: boolean, opens_at?: number | null, may_chat: boolean, file_bytes: number, asks_rating: boolean} | null} */
    this.about = null;
  }

  /**
   * @param {boolean} isRefused the last one was not taken
   * @returns {Promise<string>}
   */
  async get(isRefused) {
    if (this.token && !isRefused && Date.now() < this.renewAt) return this.token;
    return this.alone(() => this.ask());
  }

  /**
   * The chat and what reports the visit are two frames of one visitor: one asks, the
   * other then finds the token.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async alone(work) {
    return navigator.locks ? navigator.locks.request(this.name, work) : work();
  }

  /** @returns {Promise<string>} */
  async ask() {
    const response = await fetch("/api/visitor/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ site: this.site, token: this.stored() }),
    });
    if (!response.ok) {
      const final = response.status === 404 || response.status === 403;
      throw Object.assign(new Error(`token: ${response.status}`), { final });
    }
    const { token, expires_at, site } = await response.json();
    this.about = site;
    this.renewAt = Date.now() + Math.max(60_000, (expires_at - Date.now()) / 2);
    this.keep(token);
    return token;
  }

  /** @param {string} token */
  keep(token) {
    this.token = token;
    try {
      localStorage.setItem(this.name, token);
    } catch {
      // Without storage a reload is a new visitor.
    }
  }

  /** @returns {string | null} */
  stored() {
    try {
      return this.token || localStorage.getItem(this.name);
    } catch {
      return this.token || null;
    }
  }
}
