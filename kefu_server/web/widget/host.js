/**
 * The page around the frame. Only the window that frames us is heard, only from an
 * origin that this site allows, and only fixed messages; it never gets a token.
 */
export class Host {
  /**
   * @param {object} parts
   * @param {string} parts.origin what the loader said its origin is
   * @param {string[]} parts.allowed origins of this site's pages
   * @param {(isOpen: boolean) => void} parts.shown
   * @param {(locale: string) => void} parts.spoken the page wants another language
   * @param {(about: Record<string, any>) => void} parts.described what it says of its visitor
   */
  constructor({ origin, allowed, shown, spoken, described }) {
    this.isFramed = window.parent !== window;
    this.origin = allowed.includes(origin) ? origin : null;
    this.last = "";
    addEventListener("message", (event) => {
      if (!this.origin || event.source !== window.parent || event.origin !== this.origin) return;
      const type = event.data?.type;
      if (type === "kefu:language" && typeof event.data.locale === "string") spoken(event.data.locale);
      if (type === "kefu:about") described(event.data);
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

  /** Somebody wrote; the page is told that it happened, not what was said. */
  heard() {
    this.post({ type: "kefu:message" });
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

/**
 * Use a site's colour for what is pressed and for one's own bubbles.
 * @param {string | null | undefined} color such as #2457e6
 */
export function setAccent(color) {
  if (!color || !/^#[0-9a-f]{6}$/i.test(color)) return;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16) / 255);
  const light = (/** @type {number} */ c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const style = document.documentElement.style;
  style.setProperty("--accent", color);
  // Whichever of white and near-black has the higher contrast on it.
  style.setProperty("--on-accent", luminance > 0.36 ? "#10131a" : "#ffffff");
}
