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
    /** @type {{id: number, staffed: boolean, may_chat: boolean, file_bytes: number, asks_rating: boolean} | null} */
    this.about = null;
  }

  /**
   * @param {boolean} isRefused the last one was not taken
   * @returns {Promise<string>}
   */
  async get(isRefused) {
    if (this.token && !isRefused && Date.now() < this.renewAt) return this.token;
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
    this.token = token;
    this.about = site;
    this.renewAt = Date.now() + Math.max(60_000, (expires_at - Date.now()) / 2);
    try {
      localStorage.setItem(this.name, token);
    } catch {
      // Without storage a reload is a new visitor.
    }
    return token;
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
