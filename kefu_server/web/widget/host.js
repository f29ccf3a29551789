/**
 * The page around the frame. Only the window that frames us is heard, only from an
 * origin that this site allows, and only two fixed messages; it never gets a token.
 */
export class Host {
  /**
   * @param {object} parts
   * @param {string} parts.origin what the loader said its origin is
   * @param {string[]} parts.allowed origins of this site's pages
   * @param {(isOpen: boolean) => void} parts.shown
   */
  constructor({ origin, allowed, shown }) {
    this.isFramed = window.parent !== window;
    this.origin = allowed.includes(origin) ? origin : null;
    this.last = "";
    addEventListener("message", (event) => {
      if (!this.origin || event.source !== window.parent || event.origin !== this.origin) return;
      const type = event.data?.type;
      if (type !== "kefu:open" && type !== "kefu:closed") return;
      document.documentElement.classList.toggle("is-narrow", event.data.narrow === true);
      shown(type === "kefu:open");
    });
    this.post({ type: "kefu:ready" });
  }

  /** @param {number} count */
  unread(count) {
    this.postOnce({ type: "kefu:unread", count });
  }

  /** There is a conversation here: load the frame at once on the next page. */
  active() {
    this.post({ type: "kefu:active" });
  }

  close() {
    this.post({ type: "kefu:close" });
  }

  /** @param {{type: string, count: number}} message */
  postOnce(message) {
    const text = JSON.stringify(message);
    if (text === this.last) return;
    this.last = text;
    this.post(message);
  }

  /** @param {Record<string, any>} message */
  post(message) {
    if (this.isFramed && this.origin) window.parent.postMessage(message, this.origin);
  }
}
